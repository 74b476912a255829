"""From history to candidates by a real Milvus and the real embedding model."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import milvus
from infra.clock import SystemClock
from infra.settings import Settings
from infra.steps import silent
from scorers.history import History
from scorers.keywords.embedded import embedded_keywords, keyword_folder
from scorers.retrieval.build import build
from scorers.retrieval.candidates import CandidateGenerator, ItemRequest
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import OnnxEncoder, catalogue_encoder
from scorers.retrieval.export import encoder_folder
from scorers.retrieval.index import KeywordIndex
from scorers.retrieval.neighbours import ExactNeighbours
from streams.simulator.states import write_states
from tests.market import make_market, make_past

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_candidates_by_milvus_equal_exact_ones(integration_settings: Settings, tmp_path: Path) -> None:
    settings, clock = integration_settings.model_copy(update={"min_distinct_shoppers": 1}), SystemClock()
    market = make_market(12, events=20_000, days=3.0, products=200, campaigns=60, keywords=800)
    make_past(market, tmp_path / "history")
    write_states(market, tmp_path / "history")
    version = build(tmp_path / "history", settings, clock, silent())

    history = History(tmp_path / "history")
    encoder = OnnxEncoder(encoder_folder(settings))
    table = embedded_keywords(history, catalogue_encoder(encoder), keyword_folder(settings))
    index = KeywordIndex(milvus.connect(settings), settings, encoder, clock)
    assert index.version == version

    def generator(neighbours: KeywordIndex | ExactNeighbours) -> CandidateGenerator:
        catalogue = KeywordCatalogue(table.keywords, table.vectors)
        return CandidateGenerator(settings, encoder, catalogue, neighbours, clock)

    exact = ExactNeighbours(KeywordCatalogue(table.keywords, table.vectors), "exact")
    requests = [ItemRequest(product, "someone") for product in history.products[:40]]
    by_milvus, by_memory = generator(index).for_items(requests), generator(exact).for_items(requests)
    shared = total = 0
    for ours, theirs in zip(by_milvus, by_memory, strict=True):
        ours_found = {one.canonical for one in ours if "dense" in one.found}
        theirs_found = {one.canonical for one in theirs if "dense" in one.found}
        shared, total = shared + len(ours_found & theirs_found), total + len(theirs_found)
    assert total >= 40 * settings.candidates_per_source * 0.9
    assert shared / total > 0.98
