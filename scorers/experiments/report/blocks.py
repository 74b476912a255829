"""What a report is made of, whatever it is written as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 3."""

    level: int
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph; `**bold**` is allowed."""

    text: str


@dataclass(frozen=True)
class Verdict:
    """The decision: the first thing to be read."""

    verdict: str
    text: str


@dataclass(frozen=True)
class Rows:
    """A table. Cells are text; all columns but the first are figures."""

    head: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Plot:
    """A drawing as SVG with a text for those who don't see it."""

    svg: str
    description: str


Block = Heading | Text | Verdict | Rows | Plot
