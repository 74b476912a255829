"""A table from a CSV or Parquet file, typed by its schema, or one clear error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.failure import Failure
from scorers.data.schemas import IDS_DIVIDER, IN_PARQUET, Column, Table

SUFFIXES = (".parquet", ".csv")
_DAY = r"^(\d{4}-\d{2}-\d{2})(?:[T ].*)?$"


class BadTable(Failure):
    """A table cannot be used. The text names the file, the column and the cure."""

    exit_code = 2


@dataclass(frozen=True)
class Read:
    """A table as read: the schema's columns that the file has, typed; a cell that cannot be typed is null."""

    table: Table
    path: Path
    frame: pl.DataFrame
    mistyped: dict[str, pl.Series]
    """Column -> rows (from 0) whose cell is there but is not what the column holds."""


def find(folder: Path, table: Table) -> Path | None:
    """The table's file in a folder; the Parquet if both are there."""
    return next((path for suffix in SUFFIXES if (path := folder / f"{table.name}{suffix}").exists()), None)


def read(path: Path, table: Table, required: Sequence[str] | None = None) -> Read:
    """Read one table. `required`: columns that must be there, the schema's when left out.

    Raises:
        BadTable: the file cannot be read, is empty, lacks a required column, or such a column is null throughout.
    """
    raw = read_raw(path)
    wanted = table.required if required is None else required
    if missing := [name for name in wanted if name not in raw.columns]:
        raise BadTable(
            f"{path}: column {missing[0]} is missing ({table.column(missing[0]).meaning or 'required'}); "
            f"it has {', '.join(raw.columns)}"
        )
    columns = [column for column in table.columns if column.name in raw.columns]
    frame = raw.select(_typed(column, raw.schema[column.name]) for column in columns)
    empty = [name for name in wanted if table.column(name).filled and frame.get_column(name).is_null().all()]
    if empty:
        raise BadTable(f"{path}: column {empty[0]} has no value in any of its {len(raw)} rows")
    mistyped = {}
    for column in columns:
        lost = frame.get_column(column.name).is_null() & _filled(raw.get_column(column.name))
        if lost.any():
            mistyped[column.name] = lost.arg_true()
    return Read(table, path, frame, mistyped)


def read_raw(path: Path) -> pl.DataFrame:
    """A file's columns as they are, a CSV's all as text; names in lower case, without spaces around them.

    A CSV may be divided by commas, semicolons or tabs: whichever its header has most of.

    Raises:
        BadTable: the file cannot be read, is empty, or has a column twice.
    """
    try:
        if path.suffix.lower() == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, separator=_separator(path), infer_schema=False)
    except FileNotFoundError:
        raise BadTable(f"{path}: no such file") from None
    except pl.exceptions.NoDataError:
        raise BadTable(f"{path}: the file is empty") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        kind = "Parquet" if path.suffix.lower() == ".parquet" else "a CSV in UTF-8"
        raise BadTable(f"{path}: cannot be read as {kind}: {str(error).splitlines()[0]}") from None
    names = [name.strip().lower() for name in frame.columns]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise BadTable(f"{path}: column {doubled[0]} is there twice")
    if frame.is_empty():
        raise BadTable(f"{path}: the table is empty, it has a header and no row")
    frame.columns = names
    return frame


def _separator(path: Path) -> str:
    with path.open("rb") as file:
        header = file.readline(65_536).decode(errors="replace")
    return max(",;\t", key=header.count)


def _filled(cells: pl.Series) -> pl.Series:
    filled = cells.is_not_null()
    if cells.dtype == pl.String:
        return filled & (cells.str.strip_chars() != "")
    return filled & ~cells.is_nan() if cells.dtype.is_float() else filled


def _typed(column: Column, given: pl.DataType) -> pl.Expr:
    """The column as its kind is read: null where a cell is blank, or is not what the column holds."""
    cell = pl.col(column.name)
    if given == pl.String:
        cell = cell.str.strip_chars()
        cell = pl.when(cell != "").then(cell)
    match column.kind:
        case "ids":
            typed = cell.str.split(IDS_DIVIDER) if given == pl.String else cell.cast(IN_PARQUET["ids"], strict=False)
        case "day" if given == pl.String:
            typed = cell.str.extract(_DAY).str.to_date(strict=False)
        case "day":
            typed = cell.cast(pl.Date, strict=False) if given.is_temporal() else pl.lit(None, pl.Date)
        case "object":
            text = cell.struct.json_encode() if isinstance(given, pl.Struct) else cell.cast(pl.String)
            typed = pl.when(text.str.starts_with("{")).then(text.str.json_path_match("$"))
        case "count":
            number = cell.cast(pl.Float64, strict=False)
            typed = pl.when(number == number.round()).then(number).cast(pl.Int64, strict=False)
        case "number" | "share":
            number = cell.cast(pl.Float64, strict=False)
            typed = pl.when(number.is_finite()).then(number)
        case "text":
            typed = cell.cast(pl.String)
    return typed.alias(column.name)
