"""One small market and its history, made once: most tests only look at them."""

from __future__ import annotations

import numpy as np
import pytest

from streams.simulator.market import Market
from tests.market import Past, make_market, make_past


@pytest.fixture(scope="session")
def small_market() -> Market:
    return make_market(seed=11, products=500, campaigns=90, keywords=2_500)


@pytest.fixture(scope="session")
def past(small_market: Market, tmp_path_factory: pytest.TempPathFactory) -> Past:
    return make_past(small_market, tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="session")
def large_past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """A market of the default sizes, of a seed that nothing was tuned on."""
    return make_past(make_market(seed=20_301, events=400_000, days=10), tmp_path_factory.mktemp("large"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)
