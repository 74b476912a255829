"""The documented schemas are the ones that the code goes by."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from scorers.data.cli import app
from scorers.data.schemas import TABLES, as_markdown

GUIDE = (Path(__file__).parents[4] / "docs" / "data.md").read_text()


@pytest.mark.parametrize("name", TABLES)
def test_the_guide_has_every_table_as_it_is(name: str) -> None:
    assert as_markdown(TABLES[name]) in GUIDE, "write the end of docs/data.md anew with `keypulse data schema`"


@pytest.mark.parametrize("name", TABLES)
def test_a_schema_refers_to_columns_that_are_there(name: str) -> None:
    table = TABLES[name]
    names = {column.name for column in table.columns}
    assert set(table.key) | set(table.at_most) | set(table.at_most.values()) <= names
    for column in table.columns:
        if column.refers_to:
            other, key = column.refers_to
            assert TABLES[other].column(key).required


def test_the_command_prints_them() -> None:
    assert CliRunner().invoke(app, ["schema"]).stdout.strip() in GUIDE
