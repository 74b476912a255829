"""The text under which a product is embedded and matched. Pure."""

from __future__ import annotations

import html
import re

from streams.messages import ProductState

MAX_CHARACTERS = 400
"""Longer text is cut: the encoder reads 64 tokens, and a title's words come first."""

_TAG = re.compile(r"<[^>]{0,200}>")
_SPACE = re.compile(r"\s+")


def product_text(product: ProductState) -> str:
    """Title, brand and leaf category, those of them that say something new; empty when nothing is known."""
    parts: list[str] = []
    leaf = product.category_path[-1] if product.category_path else product.category
    for part in (product.title, product.brand or "", "" if leaf == "unknown" else leaf):
        clean = _plain(part)
        if clean and clean.casefold() not in " ".join(parts).casefold():
            parts.append(clean)
    return " ".join(parts)[:MAX_CHARACTERS]


def matching_text(product: ProductState) -> str:
    """`product_text` and the values of the specification: what a keyword's words are looked up in."""
    values = (_plain(value) for value in product.specification.values())
    return " ".join((product_text(product), *values))


def _plain(text: str) -> str:
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", text))).strip()
