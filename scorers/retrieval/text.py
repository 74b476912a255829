"""The text under which a product is embedded and matched. Pure.

Which fields enter, and how, was measured: docs/models.md. The product tower learns from the others.
"""

from __future__ import annotations

import html
import re

from streams.contracts.messages import ProductState

MAX_CHARACTERS = 400
"""Longer text is cut: the encoder reads 64 tokens, and a title's words come first."""

_TAG = re.compile(r"<[^>]{0,200}>")
_SPACE = re.compile(r"\s+")


def product_text(product: ProductState) -> str:
    """Title, brand and leaf category, those of them that say something new; empty when nothing is known."""
    leaf = product.category_path[-1] if product.category_path else product.category
    return said_once(product.title, product.brand or "", "" if leaf == "unknown" else leaf)


def said_once(*parts: str) -> str:
    """The parts after one another, each but for those that the ones before contain; at most `MAX_CHARACTERS`."""
    said = ""
    for part in map(plain, parts):
        if part and part.casefold() not in said.casefold():
            said = f"{said} {part}" if said else part
    return said[:MAX_CHARACTERS]


def matching_text(product: ProductState) -> str:
    """`product_text` and all values of the specification: what a keyword's words are looked up in."""
    return " ".join((product_text(product), *map(plain, product.specification.values())))


def plain(text: str) -> str:
    """Text without tags, entities and runs of white space."""
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", text))).strip()
