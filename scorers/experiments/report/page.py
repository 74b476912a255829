"""A report as one self-contained HTML page, light or dark as the reader's system is. Nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from scorers.experiments.report.blocks import Block, Heading, Plot, Rows, Text, Verdict

_STYLE = """
:root { color-scheme: light dark; --page: #fbfbf9; --ink: #1d2433; --quiet: #5b6475; --line: #d9dce3; --panel: #ffffff;
  --accent: #1f5fbf; --second: #b4540a; --good: #1c7a3e; --bad: #b3261e; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --page: #14171d; --ink: #e6e9ef; --quiet: #a3acbb; --line: #353c49;
  --panel: #1b2028; --accent: #7fb0ff; --second: #f0a35e; --good: #6fd08c; --bad: #ff8a80; --open: #e6c15a; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
.verdict { background: var(--panel); border: 1px solid var(--line); border-left: .5rem solid var(--tone);
  border-radius: .4rem; padding: .8rem 1.1rem; margin: 1rem 0; }
.verdict strong:first-child { color: var(--tone); font-size: 1.35rem; display: block; }
.go { --tone: var(--good); } .no-go { --tone: var(--bad); } .inconclusive { --tone: var(--open); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
td:not(:first-child) { white-space: nowrap; }
th { color: var(--quiet); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; background: var(--panel); border: 1px solid var(--line); border-radius: .4rem;
  padding: .6rem; }
figure svg { display: block; width: 100%; height: auto; } figcaption { color: var(--quiet); font-size: .88rem; }
"""


def page(title: str, blocks: Sequence[Block]) -> str:
    """The blocks as one HTML document."""
    body = "\n".join(_one(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _one(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{_inline(text)}</p>"
        case Verdict(verdict, text):
            return (
                f'<div class="verdict {verdict}"><strong>{escape(verdict.capitalize())}</strong> {_inline(text)}</div>'
            )
        case Rows(head, rows):
            top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
            lines = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'
        case Plot(svg, description):
            return f"<figure>{svg}<figcaption>{escape(description)}</figcaption></figure>"


def _inline(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))
