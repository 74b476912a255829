"""The tables that an experiment is judged by: who was exposed to what, and what campaigns did.

Each is a Parquet file in the experiment's folder. Times are ms since 1970, amounts minor units of the currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaError, SchemaErrors

from infra.failure import Failure
from scorers.experiments.plan import HOLD_OUT, Plan

_ID = pa.Column(pl.String, checks=pa.Check.str_length(min_value=1))
_COUNT = pa.Column(float, coerce=True)
_TIME = pa.Column(pl.Int64, checks=pa.Check.ge(0))

SCHEMAS = {
    "exposures": pa.DataFrameSchema(
        {"unit": _ID, "arm": _ID, "campaign": _ID, "exposed_at": _TIME, "keywords": pa.Column(pl.List(pl.String))}
    ),
    "campaigns": pa.DataFrameSchema({"campaign": _ID, "unit": _ID, "category": _ID, "created_at": _TIME}),
    "outcomes": pa.DataFrameSchema(
        {"campaign": _ID, "at": _TIME, "clicks": _COUNT, "purchases": _COUNT, "revenue": _COUNT}
    ),
    "adoptions": pa.DataFrameSchema({"campaign": _ID, "keyword": _ID, "at": _TIME}),
    "feedback": pa.DataFrameSchema(
        {
            "campaign": _ID,
            "at": _TIME,
            "action": pa.Column(pl.String, checks=pa.Check.isin(["shown", "accepted", "dismissed"])),
            "rank": pa.Column(pl.Int64, nullable=True),
            "source": pa.Column(pl.String, nullable=True),
            "reason": pa.Column(pl.String, nullable=True),
        }
    ),
}
"""`exposures`: the first list computed for a campaign, alike in all arms. `campaigns`: all of the exposed units.
`outcomes`: by campaign and minute, as the feature streams count them; corrections are rows of negative counts.
`adoptions`: a keyword that a seller added to a campaign."""


class BadTables(Failure):
    """The tables hold something that no estimate can be made of. The text names the column and the cure."""

    exit_code = 2


@dataclass(frozen=True)
class Tables:
    """The tables of one experiment, checked."""

    exposures: pl.DataFrame
    campaigns: pl.DataFrame
    outcomes: pl.DataFrame
    adoptions: pl.DataFrame
    feedback: pl.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """The tables in a folder.

        Raises:
            BadTables: one is missing or has a column or value that is not allowed.
        """
        frames = {}
        for name in SCHEMAS:
            path = folder / f"{name}.parquet"
            try:
                frames[name] = pl.read_parquet(path)
            except FileNotFoundError:
                raise BadTables(f"{path} is missing; `keypulse experiment collect` writes it") from None
            except pl.exceptions.PolarsError as error:
                raise BadTables(f"{path} is not a Parquet file that can be read: {error}") from None
        return cls.checked(**frames)

    @classmethod
    def checked(cls, **frames: pl.DataFrame) -> Tables:
        """The tables, each held against its schema.

        Raises:
            BadTables: as `read`.
        """
        return cls(**{name: _checked(name, frame) for name, frame in frames.items()})

    def write(self, folder: Path) -> None:
        """Write all tables as Parquet."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in SCHEMAS:
            getattr(self, name).write_parquet(folder / f"{name}.parquet")


def empty(name: str) -> pl.DataFrame:
    """A table of that name without rows."""
    types = {column: spec.dtype.type for column, spec in SCHEMAS[name].columns.items()}
    return pl.DataFrame(schema=types)


def check_any(exposures: pl.DataFrame) -> None:
    """No report is made from nothing.

    Raises:
        BadTables: no unit was exposed.
    """
    if exposures.is_empty():
        raise BadTables(
            "exposures: there is none, so nothing can be compared; scoring workers log them on experiment.exposure "
            "from the plan's start on: check that they run and share this home, then `keypulse experiment collect`"
        )


def check_arms(plan: Plan, exposures: pl.DataFrame) -> None:
    """Exposures must be of the plan's arms, with each unit in one arm, and leave no arm empty.

    Raises:
        BadTables: they aren't.
    """
    check_any(exposures)
    known = [arm.name for arm in plan.arms]
    seen = exposures.get_column("arm").unique().to_list()
    if strange := sorted(set(seen) - {*known, HOLD_OUT}):
        raise BadTables(f"exposures.arm: {strange[0]!r} is not an arm of the plan ({', '.join(known)})")
    if empty_arms := [name for name in known if name not in seen]:
        raise BadTables(
            f"exposures.arm: no unit of arm {empty_arms[0]!r} was exposed; every arm's lists are computed and logged, "
            "the control's too: check that all workers know the plan"
        )
    torn = exposures.group_by("unit").agg(pl.col("arm").n_unique()).filter(pl.col("arm") > 1)
    if not torn.is_empty():
        unit = torn.get_column("unit").sort()[0]
        raise BadTables(
            f"exposures.arm: {len(torn)} unit(s), {unit} first, stand in several arms; "
            "the assignment changed under way, so that no comparison holds: start a new experiment"
        )


def _checked(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    schema = SCHEMAS[name]
    if missing := [column for column in schema.columns if column not in frame.columns]:
        raise BadTables(f"{name}: column {missing[0]} is missing; it needs {', '.join(schema.columns)}")
    frame = frame.select(list(schema.columns))
    if name == "outcomes" and (bad := int(frame.get_column("revenue").cast(pl.Float64).is_nan().sum())):
        raise BadTables(f"outcomes.revenue: {bad} of {len(frame)} are NaN; leave the row out, or give its revenue")
    try:
        checked: pl.DataFrame = schema.validate(frame)
        return checked
    except (SchemaError, SchemaErrors) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadTables(f"{name}: {reason}; see the table's columns in docs/experiments.md") from None
