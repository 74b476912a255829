"""A unit's sums, against a recount that is slow and obvious."""

from __future__ import annotations

import polars as pl
import pytest

from infra.settings import DAY_MS, HOUR_MS
from scorers.experiments.tables import BadTables, Tables, empty
from scorers.experiments.units import COLUMNS, exposed, final, unit_sums
from tests.unit.scorers.experiments.synthetic import plan, tables

END = 200 * DAY_MS


def recount(seller: str, at: int, of: Tables, window: int) -> dict[str, float]:
    """One seller's sums, row by row."""
    sums = dict.fromkeys(COLUMNS, 0.0)
    computed: dict[str, list[str]] = {}
    for row in of.exposures.iter_rows(named=True):
        computed[row["campaign"]] = row["keywords"]
    for one in of.campaigns.filter(unit=seller).iter_rows(named=True):
        existing = one["created_at"] <= at
        sums["campaigns"] += existing
        sums["created"] += at < one["created_at"] < at + window
        sums["created_before"] += at - window < one["created_at"] <= at
        bought = bought_before = 0
        for row in of.outcomes.filter(campaign=one["campaign"]).iter_rows(named=True):
            if at <= row["at"] < at + window:
                for name in ("clicks", "purchases", "revenue"):
                    sums[name] += row[name]
                bought += existing * row["purchases"]
            elif at - window <= row["at"] < at:
                for name in ("clicks", "purchases", "revenue"):
                    sums[f"{name}_before"] += row[name]
                bought_before += existing * row["purchases"]
        sums["purchases_existing"] += bought
        sums["bought"] += bought > 0
        sums["bought_before"] += bought_before > 0
        for adopted in of.adoptions.filter(campaign=one["campaign"]).iter_rows(named=True):
            if at <= adopted["at"] < at + window and adopted["keyword"] in computed.get(one["campaign"], []):
                sums["used"] = 1.0
    sums["used_campaigns"] = sums["used"] * sums["campaigns"]
    return sums


def test_sums_equal_a_recount() -> None:
    of = plan()
    drawn = tables(of, sellers=60, lift=0.5)
    done = exposed(of, drawn, of.start_ms + END)
    sums = unit_sums(of, drawn, done)
    assert len(sums) == len(done) > 50
    cap = sums.get_column("revenue").quantile(0.99, "linear")
    for row in sums.iter_rows(named=True):
        expected = recount(row["unit"], row["exposed_at"], drawn, of.window_ms)
        expected["revenue_winsorised"] = min(expected["revenue"], cap or 0.0)
        assert {name: row[name] for name in COLUMNS} == pytest.approx(expected)


def test_a_unit_is_final_once_its_window_and_lateness_are_over() -> None:
    of = plan()
    drawn = tables(of, sellers=50)
    units = exposed(of, drawn, of.start_ms + END)
    first = int(units.get_column("exposed_at")[0])
    over = first + of.window_ms + HOUR_MS
    assert final(of, units, over - 1, HOUR_MS).height == 0
    assert final(of, units, over, HOUR_MS).height == 1


def test_exposures_outside_the_enrolment_or_not_yet_made_do_not_count() -> None:
    of = plan("weeks: 1")
    units = exposed(of, tables(of, sellers=200), of.start_ms + END)
    assert 20 < len(units) < 80
    assert units.get_column("exposed_at").max() < of.start_ms + 7 * DAY_MS  # type: ignore[operator]
    assert exposed(of, tables(of, sellers=200), of.start_ms + DAY_MS).height < len(units)


def changed(drawn: Tables, **frames: pl.DataFrame) -> Tables:
    return Tables.checked(**{**vars(drawn), **frames})


def test_bad_tables_are_told_by_table_and_column() -> None:
    of = plan()
    drawn = tables(of, sellers=40)
    with pytest.raises(BadTables, match="exposures: there is none"):
        exposed(of, changed(drawn, exposures=empty("exposures")), END)
    with pytest.raises(BadTables, match="no unit of arm 'control'"):
        exposed(of, changed(drawn, exposures=drawn.exposures.filter(arm="suggestions")), END)
    with pytest.raises(BadTables, match="'blue' is not an arm"):
        exposed(of, changed(drawn, exposures=drawn.exposures.with_columns(arm=pl.lit("blue"))), END)
    both = pl.concat([drawn.exposures, drawn.exposures.with_columns(arm=pl.lit("control"))])
    with pytest.raises(BadTables, match="stand in several arms"):
        exposed(of, changed(drawn, exposures=both), END)
    with pytest.raises(BadTables, match=r"outcomes\.revenue: \d+ of \d+ are NaN"):
        changed(drawn, outcomes=drawn.outcomes.with_columns(revenue=pl.lit(float("nan"))))
    with pytest.raises(BadTables, match="outcomes: column clicks is missing"):
        changed(drawn, outcomes=drawn.outcomes.drop("clicks"))
    with pytest.raises(BadTables, match=r"campaigns: .*created_at"):
        changed(drawn, campaigns=drawn.campaigns.with_columns(created_at=pl.lit(-1)))


def test_a_missing_file_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadTables, match=r"exposures\.parquet is missing"):
        Tables.read(tmp_path)
    drawn = tables(plan(), sellers=20)
    drawn.write(tmp_path)
    assert Tables.read(tmp_path).outcomes.equals(drawn.outcomes)


def test_a_correction_takes_a_purchase_back() -> None:
    of = plan()
    drawn = tables(of, sellers=60)
    done = exposed(of, drawn, of.start_ms + END)
    moved = drawn.outcomes.with_columns(pl.col("clicks", "purchases", "revenue") * -1)
    undone = changed(drawn, outcomes=pl.concat([drawn.outcomes, moved]))
    assert unit_sums(of, undone, done).select(pl.col("bought", "purchases", "revenue").abs().sum()).row(0) == (0, 0, 0)
