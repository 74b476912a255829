"""A check on other people's words: keywords made from a shop's own catalogue, sought by title and price alone.

A product's relevant keywords are its category's name, its brand with that name, and phrases of its specification. Their
makers knew neither our market nor our models. What a retriever is shown of a product holds none of the three.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.contracts.events import SCHEMA_VERSION
from streams.contracts.messages import ProductState
from streams.normal_form import EMPTY, normal_form
from streams.simulator.own_catalogue import Row, read_rows

KINDS = ("category", "brand and category", "specification")
_SHORTEST, _LONGEST = 2, 4
"""Words of a specification value that is a phrase somebody might search: "Round Neck", not "M" or a paragraph."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class RealText:
    """Products, keywords and which belong together."""

    products: list[ProductState]
    """Title and price only."""
    whole: list[ProductState]
    """The same with all that the catalogue says: for choosing among the fields, never for judging a model."""
    texts: dict[str, str]
    """Canonical keyword to its text."""
    makers: list[str]
    """Of each product its brand, else itself: one maker's titles are alike, so they are resampled together."""
    relevant: dict[str, list[set[str]]]
    """By kind of keyword, the canonical keywords of each product, in the products' order."""

    def of_kinds(self, kinds: Iterable[str] = KINDS) -> list[set[str]]:
        """The products' relevant keywords of these kinds."""
        return [set().union(*per_kind) for per_kind in zip(*(self.relevant[kind] for kind in kinds), strict=True)]


def real_text(file: Path) -> RealText:
    """The check on the catalogue in `file` (CSV or Parquet).

    Raises:
        WrongCatalogue: it cannot be read.
    """
    rows = read_rows(file)
    shared = _carried_by_several(level for row in rows for level in set(row.path))
    leaves = [_leaf(row, shared) for row in rows]
    phrases = [{value for value in row.specification.values() if _is_phrase(value)} for row in rows]
    common = _carried_by_several(normal_form(phrase) for of_row in phrases for phrase in of_row)
    texts: dict[str, str] = {}
    relevant: dict[str, list[set[str]]] = {kind: [] for kind in KINDS}
    for row, leaf, own in zip(rows, leaves, phrases, strict=True):
        found = {
            "category": [leaf] if leaf else [],
            "brand and category": [f"{row.brand} {leaf}"] if leaf and row.brand else [],
            "specification": [phrase for phrase in sorted(own) if normal_form(phrase) in common],
        }
        for kind, keywords in found.items():
            forms = {normal_form(text): text.lower() for text in keywords}
            forms.pop(EMPTY, None)
            relevant[kind].append(set(forms))
            for form, text in forms.items():
                texts.setdefault(form, text)
    return RealText(
        products=[_bare(row) for row in rows],
        whole=[_whole(row) for row in rows],
        texts=texts,
        makers=[row.brand or row.item for row in rows],
        relevant=relevant,
    )


def _leaf(row: Row, shared: set[str]) -> str:
    """The deepest category that other products are in too, without the brand's name; empty when there is none."""
    leaf = next((level for level in reversed(row.path) if level in shared), "")
    brand = (row.brand or "").casefold()
    return leaf[len(brand) :].strip() if brand and leaf.casefold().startswith(f"{brand} ") else leaf


def _is_phrase(value: str) -> bool:
    return _SHORTEST <= len(_WORD.findall(value)) <= _LONGEST


def _carried_by_several(names: Iterable[str]) -> set[str]:
    return {name for name, products in Counter(names).items() if products > 1}


def _bare(row: Row) -> ProductState:
    return ProductState(
        schema_version=SCHEMA_VERSION,
        item=row.item,
        seller="unknown",
        title=row.title,
        price=round(row.price * 100) if row.price else None,
        updated_at=0,
    )


def _whole(row: Row) -> ProductState:
    return msgspec.structs.replace(
        _bare(row),
        category=row.path[-1] if row.path else "unknown",
        category_path=list(row.path),
        brand=row.brand,
        specification=row.specification,
    )
