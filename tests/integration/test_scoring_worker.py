"""The scoring worker on real Kafka and Redis: lists that readers see, take-over, pause, and signals that are gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import TopicPartition
from prometheus_client import REGISTRY

from feature_repo.state_writer import StateWriter
from feature_repo.vector_reader import VectorReader
from feature_repo.vector_writer import VectorWriter
from infra import kafka, redis
from infra.clock import SystemClock
from infra.murmur2 import partition_of
from infra.settings import Settings
from infra.topics import Topics
from scorers.experiments.arms import Arms
from scorers.experiments.assignment import assign
from scorers.experiments.collection import collect
from scorers.experiments.frozen import folder_of, freeze, load
from scorers.experiments.plan import parse
from scorers.experiments.reader import ExperimentReader
from scorers.experiments.stops import stop
from scorers.retrieval.candidates import CandidateGenerator
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import ExactNeighbours
from scorers.scoring.offers import Offers
from scorers.scoring.scorer import Scorer
from scorers.suggestions.tail import Read, read_sets, tail
from scorers.worker.bundles import BundleScorers
from scorers.worker.controls import ControlReader, publish_control
from scorers.worker.promoted import Promoted
from scorers.worker.publisher import ShardPublisher
from scorers.worker.shard import ScoringShard
from scorers.worker.worker import ScoringWorker, shards_of
from streams.agents.campaigns import CampaignAgent
from streams.agents.catalogue import CatalogueAgent
from streams.agents.live_items import RedisLiveItems
from streams.contracts.messages import CampaignState, Exposure, ProductState, Signal
from streams.exactly_once import Fenced, Outgoing, RedisCheckpoints
from streams.log_reader import log_reader
from streams.normal_form import normal_form
from streams.publisher import KafkaPublisher
from streams.signal_messages import signal_messages
from streams.stage import Record
from tests.unit.scorers.letters import LetterEncoder
from tests.unit.scorers.shop import KEYWORDS, NOW, SimilarityRanker, keyword, surging_vector

pytestmark = pytest.mark.integration

CAMPAIGNS = [f"c{number}" for number in range(12)]


class Deployment:
    """Topics, states and vectors on the servers, and workers over them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics = Topics.of(settings)
        self.clock = SystemClock()
        self.online = redis.connect(settings.online_redis_url)
        self.vectors = VectorWriter(self.online, settings)
        self.publisher = KafkaPublisher(kafka.producer(settings))
        self.failures: list[BaseException] = []
        kafka.create_topics(settings)
        for partition in range(settings.partitions):
            self.vectors.acquire(partition, 1)
        self.keywords("boots", surge=1.0)

    def keywords(self, of: str, surge: float) -> None:
        names = [f"keyword:{normal_form(text)}" for text in KEYWORDS if of in text]
        sums = [surging_vector(self.settings, per_day=100, surge=surge) for _ in names]
        for name, vector in zip(names, sums, strict=True):
            self.vectors.write(0, 1, [name], vector, self.clock.now_ms())

    def signal(self, *signals: Signal) -> None:
        self.publisher.publish(signal_messages(signals, self.topics.signals, self.clock.now_ms()))

    def surge(self, text: str) -> None:
        """Searches of a keyword rise to sixty times as many, and that is signalled."""
        sums = surging_vector(self.settings, per_day=100, surge=60.0)
        self.vectors.write(0, 1, [f"keyword:{normal_form(text)}"], sums, self.clock.now_ms())
        self.signal(Signal(f"keyword:{normal_form(text)}", "moved", "searches", "1h", 4, 240, NOW))

    def states(self, *campaigns: str, seller: str = "ann") -> None:
        """Publish a product and campaigns, and let the agents of the streams floor handle them.

        `{}` in `seller` stands for the campaign.
        """
        product = ProductState(
            schema_version=1, item="i1", seller="ann", title="Red rain boots for kids", category="boots", updated_at=NOW
        )
        states = [
            CampaignState(
                schema_version=1,
                campaign=campaign,
                seller=seller.format(campaign),
                items=["i1"],
                category="boots",
                starts_at=NOW,
                updated_at=NOW,
            )
            for campaign in campaigns
        ]
        source, sink = VectorReader(self.online, self.settings), StateWriter(self.online)
        catalogue = CatalogueAgent(self.settings, source, sink, RedisLiveItems(self.online))
        agent = CampaignAgent(self.settings, source, sink)
        self.publisher.publish(catalogue.handle([record("i1", product)], NOW))
        values = [(state.campaign, msgspec.json.encode(state)) for state in states]
        topic = self.topics.campaign_state.name
        self.publisher.publish([Outgoing(topic, -1, name.encode(), value) for name, value in values])
        self.publisher.publish(agent.handle([record(state.campaign, state) for state in states], NOW))

    def close(self, campaign: str) -> None:
        agent = CampaignAgent(self.settings, VectorReader(self.online, self.settings), StateWriter(self.online))
        self.publisher.publish(agent.handle([Record("t", 0, 0, campaign.encode(), None, NOW)], NOW))

    def make_worker(self, shards: str = "all") -> ScoringWorker:
        settings = self.settings.model_copy(update={"scorer_shards": shards})
        encoder = LetterEncoder()
        table = [keyword(text) for text in KEYWORDS]
        catalogue = KeywordCatalogue(table, encoder.encode([one.text for one in table]))
        generator = CandidateGenerator(settings, encoder, catalogue, ExactNeighbours(catalogue, "index-1"), self.clock)
        source = VectorReader(redis.connect(settings.online_redis_url), settings)
        offers = Offers(generator, settings, self.clock)
        own, arms = Scorer(settings, source, offers, SimilarityRanker(), 7.0, self.clock), Arms()
        promoted = Promoted(lambda: "test-model", lambda: own, self.clock)
        scorer = BundleScorers(promoted, lambda folder: own, arms, self.clock)
        controls = ControlReader(settings)
        shards = [
            ScoringShard(number, settings, self.topics, scorer, controls.controls, arms)
            for number in shards_of(settings)
        ]
        return ScoringWorker(
            settings,
            scorer,
            shards,
            RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix),
            lambda shard: ShardPublisher(settings, shard),
            controls,
            ExperimentReader(settings, arms, self.clock, scorer.need),
            self.clock,
        )

    @contextmanager
    def worker(self, shards: str = "all") -> Iterator[ScoringWorker]:
        """A worker that runs meanwhile. What ends it too early lands in `failures`."""
        worker = self.make_worker(shards)
        thread = threading.Thread(target=self._run, args=(worker,), daemon=True)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join(30)
            assert not thread.is_alive()

    def _run(self, worker: ScoringWorker) -> None:
        try:
            worker.run()
        except BaseException as failure:
            self.failures.append(failure)

    def read(self) -> list[Read]:
        """The whole suggestion topic as readers see it."""
        return list(read_sets(self.settings, from_beginning=True, follow=False))

    def wait(self, until: Callable[[list[Read]], bool]) -> list[Read]:
        """The suggestion topic once it satisfies `until`; the test's time limit ends a vain wait."""
        while not until(read := self.read()):
            assert not self.failures, self.failures
        return read


def record(key: str, state: CampaignState | ProductState) -> Record:
    return Record("t", 0, 0, key.encode(), msgspec.json.encode(state), NOW)


def versions(read: list[Read]) -> dict[str, list[int]]:
    """By campaign the versions in the order of the topic, 0 for a tombstone.

    Whoever takes a shard over publishes the last outbox again, byte for byte: a repeat counts once.
    """
    found: dict[str, list[int]] = {}
    last: dict[str, Read] = {}
    for one in read:
        if last.get(one.campaign) != one:
            found.setdefault(one.campaign, []).append(one.suggestions.version if one.suggestions else 0)
        last[one.campaign] = one
    return found


def covers(*campaigns: str, version: int = 1) -> Callable[[list[Read]], bool]:
    def covered(read: list[Read]) -> bool:
        return all(version in versions(read).get(campaign, []) for campaign in campaigns)

    return covered


def turn_for_ever(worker: ScoringWorker) -> None:
    while True:
        worker.turn()


def scored() -> float:
    """Campaigns scored by this process."""
    return REGISTRY.get_sample_value("keypulse_campaigns_scored_total") or 0.0


@pytest.fixture
def deployment(integration_settings: Settings) -> Deployment:
    over = {"relevance_floor": 0.2, "suggestions_max": 5, "suggestion_interval_ms": 0}
    return Deployment(integration_settings.model_copy(update=over))


def test_from_created_to_closed(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    with deployment.worker():
        deployment.states(*CAMPAIGNS)
        deployment.wait(covers(*CAMPAIGNS))
        deployment.keywords("kids", surge=60.0)
        surged = Signal(f"keyword:{normal_form('boots kids')}", "moved", "searches", "1h", 4, 240, NOW)
        deployment.signal(surged)
        read = deployment.wait(covers(*CAMPAIGNS, version=2))
        deployment.close("c3")
        read = deployment.wait(lambda read: 0 in versions(read)["c3"])
    assert deployment.failures == []
    assert versions(read) == {name: [1, 2] for name in CAMPAIGNS if name != "c3"} | {"c3": [1, 2, 0]}
    second = next(one.suggestions for one in read if one.suggestions and one.suggestions.version == 2)
    assert second.trigger.entity == surged.entity
    assert any("searches up" in reason.text for one in second.suggestions for reason in one.reasons)

    tail(deployment.settings, "c3", as_json=True, from_beginning=True, follow=False)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("version") for line in lines] == [1, 2, None]
    tail(deployment.settings, "c0", as_json=False, from_beginning=True, follow=False)
    assert "c0 version 2" in capsys.readouterr().out


def test_a_set_lies_in_the_partition_of_its_key(deployment: Deployment) -> None:
    with deployment.worker():
        deployment.states(*CAMPAIGNS)
        deployment.wait(covers(*CAMPAIGNS))
    topic = deployment.topics.suggestions
    client = kafka.consumer(deployment.settings, "test")
    client.assign([TopicPartition(topic.name, partition, 0) for partition in range(topic.partitions)])
    found: dict[str, int] = {}
    while len(found) < len(CAMPAIGNS):
        for message in client.consume(100, 1.0):
            found[(message.key() or b"").decode()] = message.partition() or 0
    client.close()
    assert found == {name: partition_of(name.encode(), topic.partitions) for name in CAMPAIGNS}


def test_a_worker_that_is_restarted_goes_on_and_repeats_nothing(deployment: Deployment) -> None:
    deployment.states(*CAMPAIGNS)
    with deployment.worker():
        deployment.wait(covers(*CAMPAIGNS))
    deployment.states("new")
    with deployment.worker():
        deployment.wait(covers("new"))
        deployment.keywords("kids", surge=60.0)
        deployment.signal(Signal(f"keyword:{normal_form('boots kids')}", "moved", "searches", "1h", 4, 240, NOW))
        read = deployment.wait(covers(*CAMPAIGNS, "new", version=2))
    assert all(found == [1, 2] for found in versions(read).values())


def test_without_its_checkpoint_a_worker_goes_on_from_what_readers_saw(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    deployment.states(*CAMPAIGNS)
    with deployment.worker():
        deployment.wait(covers(*CAMPAIGNS))
        deployment.surge("boots kids")
        deployment.wait(covers(*CAMPAIGNS, version=2))
    redis.connect(deployment.settings.checkpoint_redis_url).flushall()
    deployment.close("c3")
    with deployment.worker():
        deployment.wait(lambda read: 0 in versions(read)["c3"])
        deployment.surge("rain boots")
        others = [name for name in CAMPAIGNS if name != "c3"]
        read = deployment.wait(covers(*others, version=3))
    assert versions(read) == {name: [1, 2, 3] for name in others} | {"c3": [1, 2, 0]}
    third = [one.suggestions for one in read if one.suggestions and one.suggestions.version == 3]
    assert {one.trigger.entity for one in third} == {f"keyword:{normal_form('rain boots')}"}
    assert "lost what" in caplog.text


def test_a_clean_restart_reads_nothing_of_the_topic_again(deployment: Deployment) -> None:
    deployment.states(*CAMPAIGNS)
    with deployment.worker() as worker:
        deployment.wait(covers(*CAMPAIGNS))
    name = deployment.topics.suggestions.name
    with log_reader(deployment.settings, "test") as reader:
        for shard in worker.shards:
            last = max(r.offset for r in reader.until_now(deployment.topics.suggestions) if r.partition == shard.number)
            assert shard.ends[name] == last + 1


PLAN = """
name: boots
start: 2023-11-14
effect: {scale: relative, size: 0.2}
metrics: {primary: purchase_rate}
hold_out: 0.2
weeks: 520
arms:
  - {name: control, share: 0.5, shows: nothing}
  - {name: suggestions, share: 0.5, shows: suggestions}
"""


def test_an_experiment_logs_each_campaign_once_and_tells_only_where_its_arm_shows_lists(
    deployment: Deployment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = parse(PLAN, "boots.yaml")
    arm_of = {name: assign(plan, f"s-{name}") for name in CAMPAIGNS}
    shown = [name for name in CAMPAIGNS if arm_of[name] == "suggestions"]
    others = [name for name in CAMPAIGNS if name not in shown]
    assert set(arm_of.values()) == {"control", "suggestions", "hold-out"}
    deployment.states(*CAMPAIGNS, seller="s-{}")
    with deployment.worker():
        deployment.wait(covers(*CAMPAIGNS))
    (tmp_path / "boots.yaml").write_text(PLAN)
    folder = folder_of(deployment.settings)
    frozen = freeze(tmp_path / "boots.yaml", plan, folder, NOW)
    with deployment.worker():
        read = deployment.wait(covers(*others, version=2))
    (folder / "boots" / "plan.yaml").write_text(PLAN.replace("shows: nothing", "shows: suggestions"))
    with deployment.worker():
        deployment.surge("boots kids")
        read = deployment.wait(covers(*shown, version=2))
    assert deployment.failures == []
    assert versions(read) == {name: [1, 2] for name in CAMPAIGNS}
    second = {one.campaign: one.suggestions for one in read if one.suggestions and one.suggestions.version == 2}
    assert {name: one.arm for name, one in second.items()} == {name: f"boots/{arm_of[name]}" for name in CAMPAIGNS}
    assert sorted(name for name, one in second.items() if one.suggestions) == shown
    assert "boots runs as it was started: the plan was changed after its start: arms" in caplog.text

    with log_reader(deployment.settings, "test") as reader:
        collected = collect(load(folder, "boots"), deployment.settings, reader)
        records = list(reader.until_now(deployment.topics.exposures))
    assert dict(collected.exposures.select("campaign", "arm").iter_rows()) == arm_of
    exposures = [msgspec.json.decode(record.value or b"", type=Exposure) for record in records]
    assert {one.plan_checksum for one in exposures} == {frozen.checksum}
    assert len({(one.campaign, one.exposed_at) for one in exposures}) == len(CAMPAIGNS)


def test_a_stopped_arm_is_told_nothing_more_and_goes_on_being_exposed(deployment: Deployment, tmp_path: Path) -> None:
    plan = parse(PLAN, "boots.yaml")
    shown = [name for name in CAMPAIGNS if assign(plan, f"s-{name}") == "suggestions"]
    (tmp_path / "boots.yaml").write_text(PLAN)
    folder = folder_of(deployment.settings)
    freeze(tmp_path / "boots.yaml", plan, folder, NOW)
    late = next(name for name in (f"late{n}" for n in range(99)) if assign(plan, f"s-{name}") == "suggestions")
    with deployment.worker():
        deployment.states(*CAMPAIGNS, seller="s-{}")
        deployment.wait(covers(*shown))
        stop(load(folder, "boots"), "suggestions", "operator", "odd keywords", NOW)
        deployment.wait(covers(*shown, version=2))
        before = scored()
        deployment.surge("boots kids")
        deployment.states(late, seller="s-{}")
        while scored() < before + len(CAMPAIGNS) + 1:
            assert deployment.failures == []
    assert deployment.failures == []
    read = deployment.read()
    assert versions(read) == {name: [1, 2] for name in shown}
    second = [one.suggestions for one in read if one.suggestions and one.suggestions.version == 2]
    assert {(one.arm, one.trigger.cause, *one.suggestions) for one in second} == {("boots/suggestions", "stopped")}
    with log_reader(deployment.settings, "test") as reader:
        collected = collect(load(folder, "boots"), deployment.settings, reader)
    arm_of = dict(collected.exposures.select("campaign", "arm").iter_rows())
    assert arm_of == {name: assign(plan, f"s-{name}") for name in [*CAMPAIGNS, late]}


def test_of_two_workers_the_later_one_owns_the_shard(deployment: Deployment) -> None:
    deployment.states(*CAMPAIGNS)
    old = deployment.make_worker()
    old.start()
    while not covers(*CAMPAIGNS)(deployment.read()):
        old.turn()
    with deployment.worker():
        deployment.states("new")
        deployment.wait(covers("new"))
        deployment.signal(Signal("campaign:new", "changed"))
        deployment.signal(Signal("campaign:another", "created"))
        with pytest.raises(Fenced):
            turn_for_ever(old)
    late = Outgoing(deployment.topics.suggestions.name, 0, b"c0", b"{}")
    with pytest.raises(Fenced):
        old.runners[0].publisher.publish([late])
    assert versions(deployment.read()) == {name: [1] for name in [*CAMPAIGNS, "new"]}


def test_shards_are_shared_out_over_workers(deployment: Deployment) -> None:
    with deployment.worker("0-1"), deployment.worker("2,3"):
        deployment.states(*CAMPAIGNS)
        read = deployment.wait(covers(*CAMPAIGNS))
    assert deployment.failures == []
    assert versions(read) == {name: [1] for name in CAMPAIGNS}


def test_a_pause_is_heeded_at_once_and_after_a_restart(deployment: Deployment) -> None:
    settings, clock = deployment.settings, deployment.clock
    publish_control(settings, clock, "boots", paused=True, by="ann")
    before = scored()
    with deployment.worker():
        deployment.states(*CAMPAIGNS)
        while scored() < before + len(CAMPAIGNS):
            assert deployment.failures == []
    assert deployment.read() == []
    with deployment.worker():
        publish_control(settings, clock, "boots", paused=False, by="ann")
        read = deployment.wait(covers(*CAMPAIGNS))
    assert versions(read) == {name: [1] for name in CAMPAIGNS}


def test_when_its_signals_are_gone_a_worker_finds_every_campaign(deployment: Deployment) -> None:
    deployment.states(*CAMPAIGNS)
    topic = deployment.topics.signals
    ends = [TopicPartition(topic.name, partition, -1) for partition in range(topic.partitions)]
    admin = kafka.admin(deployment.settings)
    for future in admin.delete_records(ends).values():
        future.result()
    with deployment.worker():
        read = deployment.wait(covers(*CAMPAIGNS))
    assert versions(read) == {name: [1] for name in CAMPAIGNS}
