"""Two arms, two trained models, one keyword index, and one of them promoted, on real servers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from feature_repo.archive import FeatureArchive
from feature_repo.state_writer import StateWriter
from feature_repo.vector_reader import VectorReader
from feature_repo.vector_writer import VectorWriter
from infra import kafka, redis
from infra.clock import ManualClock
from infra.settings import HOUR_MS, MINUTE_MS, Settings
from infra.steps import silent
from infra.topics import Topics
from scorers.experiments.assignment import assign
from scorers.experiments.frozen import folder_of, freeze
from scorers.experiments.plan import parse
from scorers.history import History
from scorers.ranking import bundle
from scorers.retrieval.build import build
from scorers.suggestions.tail import Read, read_sets
from scorers.training.ranker import EventLog, train
from scorers.worker.run import make_worker
from streams.agents.campaigns import CampaignAgent
from streams.agents.catalogue import CatalogueAgent
from streams.agents.live_items import RedisLiveItems
from streams.backfill.run import SOURCE, Backfill
from streams.contracts.messages import CampaignState, Exposure, ProductState
from streams.exactly_once import RedisCheckpoints
from streams.log_reader import log_reader
from streams.publisher import KafkaPublisher
from streams.simulator.market import Market
from streams.simulator.states import campaign_states, write_states
from streams.stage import Record
from tests.market import UNTIL_MS, make_market, make_past

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NOW = UNTIL_MS + MINUTE_MS
PLAN = """
name: models
start: 2026-09-21
weeks: 4
effect: {{scale: relative, size: 0.2}}
metrics: {{primary: purchase_rate}}
arms:
  - {{name: control, share: 0.5, shows: suggestions}}
  - {{name: linear, share: 0.5, shows: suggestions, bundle: {bundle}}}
"""


def record(key: str, state: CampaignState | ProductState) -> Record:
    return Record("t", 0, 0, key.encode(), msgspec.json.encode(state), NOW)


def announce(market: Market, settings: Settings) -> list[CampaignState]:
    """Let the agents write the market's products and campaigns and signal them; the campaigns that run."""
    online, publisher = redis.connect(settings.online_redis_url), KafkaPublisher(kafka.producer(settings))
    source, sink = VectorReader(online, settings), StateWriter(online)
    catalogue = CatalogueAgent(settings, source, sink, RedisLiveItems(online))
    states = [one for one in campaign_states(market) if one.status == "active"]
    publisher.publish(catalogue.handle([record(one.item, one) for one in market.catalogue.products], NOW))
    agent = CampaignAgent(settings, source, sink)
    publisher.publish(agent.handle([record(one.campaign, one) for one in states], NOW))
    return states


def sets(settings: Settings) -> list[Read]:
    return list(read_sets(settings, from_beginning=True, follow=False))


def test_each_arm_is_told_by_its_own_trained_model_and_a_promotion_is_taken_up(
    integration_settings: Settings, tmp_path: Path
) -> None:
    settings = integration_settings.model_copy(
        update={"min_distinct_shoppers": 1, "attribution_window_ms": 6 * HOUR_MS}
    )
    kafka.create_topics(settings)
    market = make_market(7, events=120_000, days=6.0, products=200, campaigns=60, keywords=800)
    history = tmp_path / "history"
    make_past(market, history)
    write_states(market, history)
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    store = VectorWriter(redis.connect(settings.online_redis_url), settings)
    Backfill(settings, checkpoints, store, FeatureArchive(settings.feature_log_path, SOURCE)).run(history)
    clock, plots, other = ManualClock(NOW), tmp_path / "reports", settings.home / "models" / "linear"
    index = build(history, settings, clock, silent())
    own, _ = train(EventLog(History(history)), settings, clock, silent(), plots, "boosted")
    linear, _ = train(EventLog(History(history)), settings, clock, silent(), plots, "linear", out=other)

    text = PLAN.format(bundle=other)
    (tmp_path / "models.yaml").write_text(text)
    plan = parse(text, "models.yaml")
    freeze(tmp_path / "models.yaml", plan, folder_of(settings), NOW)
    arm_of = {one.campaign: assign(plan, one.seller) for one in announce(market, settings)}
    assert set(arm_of.values()) == {"control", "linear"}

    worker = make_worker(settings, clock)
    worker.start()
    while {one.campaign for one in sets(settings)} < arm_of.keys():
        worker.turn()

    version_of = {"control": own.model_version, "linear": linear.model_version}
    assert len(set(version_of.values())) == 2
    told = {one.campaign: one.suggestions for one in sets(settings) if one.suggestions}
    assert {name: (one.arm, one.model_version, one.index_version) for name, one in told.items()} == {
        name: (f"models/{arm}", version_of[arm], index) for name, arm in arm_of.items()
    }
    with log_reader(settings, "test") as reader:
        logged = [
            msgspec.json.decode(one.value or b"", type=Exposure)
            for one in reader.until_now(Topics.of(settings).exposures)
        ]
    assert {one.campaign: (one.arm, one.model_version) for one in logged} == {
        name: (arm, version_of[arm]) for name, arm in arm_of.items()
    }

    bundle.install(other, settings.bundle_path)
    promoted_at = clock.now_ms()
    while not (later := [one.suggestions for one in sets(settings) if _since(one, promoted_at)]):
        for _ in range(10):  # reading the topic takes a second
            clock.advance_to(clock.now_ms() + 1_000)
            worker.turn()
    assert {one.model_version for one in later if one} == {linear.model_version}


def _since(one: Read, ms: int) -> bool:
    return one.suggestions is not None and one.suggestions.created_at > ms
