"""Is a folder of tables fit to learn from? Column by column: nulls, outliers, duplicates, broken references, with rows.

pandera validates; this file says what it shall ask and puts its answers in order. Row 1 is the first after the header.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import pandera.polars as pa
import polars as pl

from scorers.data.reading import BadTable, Read, find, read
from scorers.data.schemas import IN_PARQUET, IN_WORDS, TABLES, Column

OUTLIER_FENCES = 3.0
"""So many interquartile ranges beyond a quartile a number is an outlier (Tukey's "far out"), measured on logarithms."""
_NARROWEST = math.log(4)
"""An interquartile range counts as at least a factor of 4: counts of rare things are nearly all 1, some rightly 50."""
_OLDEST = date(2000, 1, 1)


class Finding(msgspec.Struct, frozen=True):
    """Something about one column."""

    column: str
    what: str
    """`null`, `type`, `value`, `too long`, `duplicate`, `reference`, `outlier` or `all null`."""
    meaning: str
    count: int
    """Rows that it concerns."""
    rows: list[int]
    """Their numbers, from 1, the first ones."""
    bad: bool
    """False: worth a look, but no reason to refuse the table."""


class ColumnReport(msgspec.Struct, frozen=True):
    """One column of a table."""

    name: str
    nulls: int
    findings: list[Finding]


class TableReport(msgspec.Struct, frozen=True):
    """One table."""

    table: str
    file: str
    rows: int
    columns: list[ColumnReport]
    error: str = ""
    """Why it could not be read at all."""

    @property
    def bad(self) -> bool:
        """Whether anything is wrong with it."""
        return bool(self.error) or any(one.bad for column in self.columns for one in column.findings)


def check_folder(folder: Path, today: date, most_rows: int = 20) -> list[TableReport]:
    """Check every table that the folder holds. `most_rows`: row numbers named for each finding.

    Raises:
        BadTable: the folder is missing or holds none of the tables.
    """
    files = {name: path for name, table in TABLES.items() if (path := find(folder, table))}
    if not files:
        names = ", ".join(TABLES)
        raise BadTable(f"{folder}: holds none of the tables {names} (as .parquet or .csv); see docs/data.md")
    tables: dict[str, Read] = {}
    reports: dict[str, TableReport] = {}
    for name, path in files.items():
        try:
            tables[name] = read(path, TABLES[name])
        except BadTable as error:
            reports[name] = TableReport(name, str(path), 0, [], str(error))
    for name, table in tables.items():
        reports[name] = check_table(table, tables, today, most_rows)
    return [reports[name] for name in files]


def check_table(table: Read, others: Mapping[str, Read], today: date, most_rows: int = 20) -> TableReport:
    """Check one table as read; references are looked up in `others`, and left alone where the table isn't there."""
    found = _mistyped(table) + _validate(table, _schema(table, others, today))
    columns = []
    for name in table.frame.columns:
        findings = [one.finding(most_rows) for one in found if one.column == name]
        nulls = table.frame.get_column(name).null_count() - len(table.mistyped.get(name, ()))
        if nulls == len(table.frame):
            findings.append(Finding(name, "all null", "fill the column or leave it out", nulls, [], bad=False))
        columns.append(ColumnReport(name, nulls, findings))
    return TableReport(table.table.name, str(table.path), len(table.frame), columns)


@dataclass(frozen=True)
class _Failed:
    column: str
    what: str
    meaning: str
    rows: pl.Series
    """From 0."""

    def finding(self, most_rows: int) -> Finding:
        rows = (self.rows.sort().head(most_rows) + 1).to_list()
        return Finding(self.column, self.what, self.meaning, len(self.rows), rows, bad=self.what != "outlier")


def _mistyped(table: Read) -> list[_Failed]:
    kinds = {name: table.table.column(name).kind for name in table.mistyped}
    return [_Failed(name, "type", f"no {IN_WORDS[kinds[name]]}", rows) for name, rows in table.mistyped.items()]


def _validate(table: Read, schema: pa.DataFrameSchema) -> list[_Failed]:
    try:
        schema.validate(table.frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases.select("column", "check", rows=pl.col("index").cast(pl.Int64))
    else:
        return []
    failed = []
    for (column, check), rows in cases.group_by("column", "check", maintain_order=True):
        what, _, meaning = _NULL.partition(": ") if check == "not_nullable" else str(check).partition(": ")
        places = rows.get_column("rows")
        if what == "null":
            places = places.filter(~places.is_in(table.mistyped.get(str(column), pl.Series(dtype=pl.Int64)).implode()))
        if len(places):
            failed.append(_Failed(str(column), what, meaning, places))
    return failed


_NULL = "null: must have a value"


def _schema(table: Read, others: Mapping[str, Read], today: date) -> pa.DataFrameSchema:
    spec, there = table.table, table.frame.columns
    checks = {name: _checks(spec.column(name), table.frame.get_column(name), others, today) for name in there}
    for low, high in spec.at_most.items():
        if low in there and high in there:
            checks[low].append(_check(pl.col(low) <= pl.col(high), f"value: must be at most the row's {high}"))
    key = [name for name in spec.key if name in there]
    if spec.required[0] in key:
        again = f"duplicate: an earlier row has the same {', '.join(key)}"
        checks[spec.key[0]].append(_check(pl.struct(key).is_first_distinct(), again))
    return pa.DataFrameSchema(
        {
            name: pa.Column(IN_PARQUET[column.kind], checks[name], nullable=not (column.required and column.filled))
            for name in there
            if (column := spec.column(name))
        }
    )


def _checks(column: Column, values: pl.Series, others: Mapping[str, Read], today: date) -> list[pa.Check]:
    cell = pl.col(column.name)
    checks = []
    if column.kind in ("count", "number", "share"):
        checks.append(_check(cell >= 0, "value: must not be below 0"))
    if column.kind == "share":
        checks.append(_check(cell <= 1, "value: must not be above 1"))
    if column.kind == "day":
        checks.append(_check(cell.is_between(_OLDEST, today), f"value: must lie between {_OLDEST} and today, {today}"))
    if column.longest:
        long = f"too long: at most {column.longest} characters"
        checks.append(_check(cell.str.len_chars() <= column.longest, long))
    if column.refers_to and column.refers_to[0] in others:
        other, name = column.refers_to
        known = others[other].frame.get_column(name).unique().implode()
        meaning = f"reference: {other} has no such {name}"
        inside = pl.element().is_in(known)
        one = cell.list.eval(inside).list.all() if column.kind == "ids" else cell.is_in(known)
        checks.append(_check(one, meaning))
    return checks + _outliers(column, values)


def _outliers(column: Column, values: pl.Series) -> list[pa.Check]:
    """Numbers far from the others; of counts, and of the length of a text, only those far above."""
    if column.kind not in ("count", "number", "text"):
        return []
    size = pl.col(column.name).str.len_chars() if column.kind == "text" else pl.col(column.name)
    sizes = values.to_frame().select(size.cast(pl.Float64)).to_series()
    logs = sizes.filter(sizes > 0).log()
    if logs.is_empty():
        return []
    lower, upper = float(logs.quantile(0.25) or 0.0), float(logs.quantile(0.75) or 0.0)
    reach = OUTLIER_FENCES * max(upper - lower, _NARROWEST)
    low = math.exp(lower - reach) if column.kind == "number" else 0.0
    high = math.exp(upper + reach)
    unit = " characters" if column.kind == "text" else ""
    meaning = f"outlier: nearly all lie between {low:.3g} and {high:.3g}{unit}"
    return [_check((size <= 0) | size.is_between(low, high), meaning)]


def _check(holds: pl.Expr, error: str) -> pa.Check:
    """A check of each row. Nulls pass: whether they may be there is asked apart."""
    return pa.Check(lambda data: data.lazyframe.select(holds.fill_null(True)), error=error)


def as_json(reports: list[TableReport]) -> str:
    """The reports as one JSON document: `ok` and `tables`."""
    told = {"ok": not any(report.bad for report in reports), "tables": reports}
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def as_text(reports: list[TableReport]) -> Iterator[str]:
    """The reports as lines to read."""
    for report in reports:
        yield f"{report.table}: {report.file}" + ("" if report.error else f", {report.rows:,} rows")
        if report.error:
            yield f"  BAD  {report.error}"
        for column in report.columns:
            share = f"{column.nulls:,} null ({column.nulls / report.rows:.1%})" if column.nulls else "no null"
            yield f"  {column.name:18} {share}"
            for one in column.findings:
                rows = ", ".join(map(str, one.rows)) + (", ..." if one.count > len(one.rows) else "")
                where = f": row{'s' * (one.count != 1)} {rows}" if one.rows else ""
                yield f"    {'BAD ' if one.bad else 'note'} {one.what}, {one.meaning}; {one.count:,}{where}"
