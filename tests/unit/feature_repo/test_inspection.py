"""What `keypulse features show` says of an entity."""

from __future__ import annotations

import numpy as np
import pytest

from feature_repo.inspection import UnknownEntity, inspect
from feature_repo.memory import MemoryStateWriter, MemoryStore
from feature_repo.vectors import sum_names
from infra.settings import load

T = 1_760_000_000_000
SETTINGS = load()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore(SETTINGS)
    store.acquire(0, 1)
    shoes = np.zeros((1, 24))
    shoes[0, [sum_names(SETTINGS.windows).index(name) for name in ("impressions_7d", "clicks_7d")]] = [1_000, 50]
    store.write(0, 1, ["category:shoes"], shoes, T)
    names = ["item:A1", "pair:A1|boots rain", "keyword:boots rain", "campaign:C1", "item:lost"]
    store.write(0, 1, names, np.zeros((5, 24)), T + 5)
    states = MemoryStateWriter(store)
    product = {
        "item": "A1",
        "title": "Rain boots",
        "category": "shoes",
        "category_path": [],
        "price": None,
        "shipping": None,
        "condition": "new",
        "brand": None,
        "seller": "S",
        "specification": "{}",
        "updated_at": T,
    }
    states.write("product", [product])
    campaign = {"campaign": "C1", "state": "{}", "status": "active", "seller": "S", "category": "shoes"}
    states.write("campaign", [campaign | {"updated_at": T}])
    return store


@pytest.mark.parametrize("name", ["item:A1", "pair:A1|boots rain", "campaign:C1", "category:shoes"])
def test_rates_are_those_of_the_entitys_own_category(store: MemoryStore, name: str) -> None:
    inspection = inspect(store, name, SETTINGS)
    assert inspection.category == "shoes"
    assert inspection.derived["ctr_10m"] == pytest.approx(0.05)
    assert inspection.as_of_ms == (T if name == "category:shoes" else T + 5)


def test_a_category_can_be_given(store: MemoryStore) -> None:
    assert inspect(store, "keyword:boots rain", SETTINGS).category is None
    inspection = inspect(store, "keyword:boots rain", SETTINGS, "shoes")
    assert (inspection.category, inspection.derived["ctr_10m"]) == ("shoes", pytest.approx(0.05))


def test_an_item_without_a_product_has_no_category(store: MemoryStore) -> None:
    inspection = inspect(store, "item:lost", SETTINGS)
    assert (inspection.category, inspection.derived["ctr_7d"]) == (None, 0)


@pytest.mark.parametrize("name", ["item:nobody", "shop:A1", "A1", "item:"])
def test_an_unknown_entity_is_named(store: MemoryStore, name: str) -> None:
    with pytest.raises(UnknownEntity, match=name):
        inspect(store, name, SETTINGS)
