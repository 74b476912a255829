"""What features describe: one Feast entity a kind, joined by a key of the kind's name."""

from __future__ import annotations

from feast import Entity, ValueType

from feature_repo.vectors import KINDS

_DESCRIPTIONS = {
    "item": "A product on sale",
    "keyword": "A canonical keyword: what all spellings of one search count under",
    "pair": "An item and a canonical keyword, written item|keyword",
    "campaign": "A seller's promotion of items",
    "category": "A category of items, as events carry it",
}

ENTITIES = {
    kind: Entity(name=kind, join_keys=[kind], value_type=ValueType.STRING, description=_DESCRIPTIONS[kind])
    for kind in KINDS
}
"""By kind."""
