"""A report as Markdown. Plots stand in the page beside it."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.experiments.report.blocks import Block, Heading, Plot, Rows, Text, Verdict


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as one document."""
    return "\n\n".join(part for block in blocks if (part := _one(block))) + "\n"


def _one(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Verdict(verdict, text):
            return f"> **{verdict.upper()}**\n>\n> {text}"
        case Rows(head, rows):
            lines = [head, ["---"] * len(head), *rows]
            return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        case Plot():
            return ""
