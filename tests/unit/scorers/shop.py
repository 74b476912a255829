"""A small market for tests of the scoring stage: a real scorer and shard over stores in memory.

Only the ranker is a stand-in (its probabilities rise with similarity), since what it says is not what is tested here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from feature_repo.memory import MemoryStateWriter, MemoryStore
from feature_repo.vectors import METRICS, sum_names, windows
from infra.clock import ManualClock
from infra.murmur2 import partition_of
from infra.settings import Settings, load
from infra.topics import Topics
from scorers.experiments.arms import Arms, Experiment
from scorers.keywords.table import Keyword
from scorers.ranking.features import PairInputs
from scorers.retrieval.candidates import CandidateGenerator
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import ExactNeighbours
from scorers.scoring.offers import Offers
from scorers.scoring.scorer import Scorer
from scorers.worker.bundles import BundleScorers
from scorers.worker.controls import Controls
from scorers.worker.promoted import Promoted
from scorers.worker.shard import ScoringShard, decode_signals
from scorers.worker.told import memories
from streams.contracts.messages import (
    CampaignKeyword,
    CampaignState,
    Contribution,
    Control,
    Envelope,
    Exposure,
    Feedback,
    ProductState,
    Signal,
    Signals,
    SuggestionSet,
)
from streams.exactly_once import MemoryCheckpoints
from streams.normal_form import normal_form
from streams.stage import PartitionRunner, Record
from tests.pipeline import MemoryBroker
from tests.unit.scorers.letters import LetterEncoder

NOW = 1_700_000_000_000
DAY = 86_400_000
UNCOUNTED = Envelope("", 0, 0)

KEYWORDS = (
    *("rain boots", "boots kids", "red boots", "hiking boots", "boots women", "rubber boots", "boots men"),
    *("winter boots", "boots sale", "rain jacket", "desk lamp", "lamp shade", "led lamp"),
)


def keyword(text: str, shoppers: int = 5, **fields: object) -> Keyword:
    category = "lamps" if "lamp" in text else "boots"
    return Keyword(canonical=normal_form(text), text=text, category=category, shoppers=shoppers, volume=700, **fields)


class SimilarityRanker:
    """The nearer the likelier."""

    def __init__(self, version: str = "test-model") -> None:
        self.version = version

    def matrix(self, inputs: PairInputs) -> NDArray[np.floating]:
        return inputs.dense[:, None]

    def shown(self, inputs: PairInputs, matrix: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.clip(matrix[:, 0], 0.01, 1)

    def predict(self, matrix: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return 0.01 + 0.1 * np.clip(matrix[:, 0], 0, 1), np.full(len(matrix), 0.1)

    def explain(self, matrix: NDArray[np.floating]) -> list[list[Contribution]]:
        return [[Contribution(feature="dense", value=float(row[0]), contribution=float(row[0]))] for row in matrix]


class Shop:
    """Products, campaigns and keywords, and the one shard that scores them."""

    def __init__(self, extra: Sequence[Keyword] = (), **over: object) -> None:
        defaults = {"partitions": 1, "relevance_floor": 0.2, "suggestions_max": 5, "scorer_unknown_ttl_ms": 0}
        self.settings: Settings = load(**(defaults | over))
        self.topics = Topics.of(self.settings)
        self.clock = ManualClock(NOW)
        self.store = MemoryStore(self.settings)
        self.store.acquire(0, 1)
        self.states = MemoryStateWriter(self.store)
        self.broker = MemoryBroker()
        self.checkpoints = MemoryCheckpoints()
        self.controls = Controls()
        self.arms = Arms()
        self.records: list[Record] = []
        self.promoted = "test-model"
        self.table = [*map(keyword, KEYWORDS), *extra]
        for one in self.table:
            self.searches(one.text, per_day=100)
        self.vector("category:boots", searches=(70, 420, 10_000, 70_000))
        self.start()

    def start(self, known: Collection[str] = ()) -> None:
        """A new worker, which knows nothing but what checkpoint and topics say. `known`: all campaigns there are."""
        promoted = Promoted(lambda: self.promoted, lambda: self._load(Path(self.promoted)), self.clock)
        self.scorer = BundleScorers(promoted, self._load, self.arms, self.clock)
        self.run(*self.arms.experiments)
        self.shard = ScoringShard(0, self.settings, self.topics, self.scorer, self.controls, self.arms)
        self.runner = PartitionRunner(self.shard, "scorer/0", self.checkpoints, self.broker, self.clock)
        self.runner.start()
        self.taken_over = self.shard.take_over(memories(self._beyond_checkpoint(self.topics.suggestions.name)))
        for record in self._beyond_checkpoint(self.topics.exposures.name):
            self.shard.expose(record)
        for record in self.records:
            if record.topic == self.topics.feedback.name:
                self.shard.dismiss(record)
        self.shard.rescore_all("restarted", self.clock.now_ms(), known)

    def _load(self, bundle: Path) -> Scorer:
        """A scorer whose model has the name of its folder."""
        encoder = LetterEncoder()
        catalogue = KeywordCatalogue(self.table, encoder.encode([one.text for one in self.table]))
        neighbours = ExactNeighbours(catalogue, "index-1")
        generator = CandidateGenerator(self.settings, encoder, catalogue, neighbours, self.clock)
        offers = Offers(generator, self.settings, self.clock)
        return Scorer(self.settings, self.store, offers, SimilarityRanker(bundle.name), 7.0, self.clock)

    def _beyond_checkpoint(self, topic: str) -> list[Record]:
        return self.broker.logs[topic, 0][self.shard.ends.get(topic, 0) :]

    def run(self, *experiments: Experiment) -> None:
        """These experiments are on."""
        for one in experiments:
            for bundle in one.bundles:
                self.scorer.need(bundle)
        self.arms.experiments = experiments

    def promote(self, version: str) -> None:
        """Another bundle is promoted; returns once the worker has taken it up."""
        self.promoted = version
        self.clock.advance_to(self.clock.now_ms() + 10_000)
        while not self.scorer.renew():
            pass
        self.shard.rescore_all("promoted", self.clock.now_ms())

    def lose_checkpoint(self) -> None:
        """The checkpoint store is empty, and a new worker starts."""
        self.checkpoints = MemoryCheckpoints()
        self.start()

    # --- what others write ---------------------------------------------------------------------------------------

    def product(self, item: str, title: str, category: str = "boots") -> None:
        state = ProductState(schema_version=1, item=item, seller="ann", title=title, category=category, updated_at=NOW)
        row = {name: getattr(state, name) for name in state.__struct_fields__ if name not in ("schema_version", "item")}
        self.states.write("product", [row | {"item": item, "specification": "{}"}])

    def campaign(self, campaign: str, *items: str, cause: str = "created", **fields: object) -> None:
        adopted = [CampaignKeyword(text=str(text)) for text in fields.pop("adopted", ())]  # type: ignore[attr-defined]
        known: dict[str, object] = {"seller": "ann", "category": "boots", "starts_at": NOW, "updated_at": NOW}
        state = CampaignState(
            schema_version=1, campaign=campaign, items=list(items), keywords=adopted, **(known | fields)
        )
        row = {"state": msgspec.json.encode(state).decode(), "status": state.status}
        row |= {"seller": state.seller, "category": state.category, "updated_at": NOW, "campaign": campaign}
        self.states.write("campaign", [row])
        self.signal(Signal(f"campaign:{campaign}", cause))

    def vector(self, entity: str, **sums: Sequence[float]) -> None:
        """Write sums per window, shortest first."""
        vector = np.zeros((len(self.settings.windows), len(METRICS)))
        for metric, of_windows in sums.items():
            vector[:, METRICS.index(metric)] = of_windows
        assert vector.size == len(sum_names(self.settings.windows))
        self.store.write(0, 1, [entity], vector.reshape(1, -1), self.clock.now_ms())

    def searches(self, text: str, per_day: float, surge: float = 1.0) -> None:
        """Write a keyword's searches: steady, and `surge` times as many in the last hour."""
        self.store.write(
            0, 1, [f"keyword:{normal_form(text)}"], surging_vector(self.settings, per_day, surge), self.clock.now_ms()
        )

    def moved(self, text: str, before: int, after: int) -> None:
        entity = f"keyword:{normal_form(text)}"
        self.signal(Signal(entity, "moved", "searches", "1h", before, after, self.clock.now_ms()))

    def surge(self, text: str) -> None:
        """A keyword is searched sixty times as often, and that is signalled."""
        self.searches(text, per_day=100, surge=60)
        self.moved(text, 4, 240)

    def surged(self, text: str, before: int, after: int, window: str = "4s") -> None:
        entity = f"keyword:{normal_form(text)}"
        self.signal(Signal(entity, "surged", "searches", window, before, after, self.clock.now_ms()))

    def signal(self, *signals: Signal, envelope: Envelope = UNCOUNTED) -> None:
        value = msgspec.msgpack.encode(Signals(envelope, self.clock.now_ms(), list(signals)))
        self._append(self.topics.signals.name, value)

    def dismiss(self, campaign: str, text: str) -> None:
        feedback = Feedback(
            schema_version=1,
            feedback_id="f",
            event_time=self.clock.now_ms(),
            campaign=campaign,
            suggestion_id="s",
            canonical=normal_form(text),
            action="dismissed",
        )
        self._append(self.topics.feedback.name, msgspec.json.encode(feedback))

    def pause(self, category: str = "*", paused: bool = True) -> None:
        self.controls.take(msgspec.json.encode(Control(category=category, paused=paused, by="test", at=NOW)))

    def _append(self, topic: str, value: bytes) -> None:
        offset = sum(record.topic == topic for record in self.records)
        self.records.append(Record(topic, 0, offset, None, value, self.clock.now_ms()))

    # --- what the worker does, and what comes out ------------------------------------------------------------------

    def turn(self, advance_ms: int = 100) -> list[SuggestionSet | None]:
        """One turn of the worker; the sets it published, None for a tombstone."""
        before = len(self.published())
        self.clock.advance_to(self.clock.now_ms() + advance_ms)
        records = [
            record
            for record in self.records
            if record.offset >= self.runner.offsets.get((record.topic, record.partition), 0)
        ]
        self.scorer.observe(
            [
                signal
                for record in records
                if record.topic == self.topics.signals.name
                for signal in decode_signals(record).signals
            ]
        )
        self.runner.step(records)
        self.shard.note_published({topic: len(log) for (topic, _), log in self.broker.logs.items()})
        return self.published()[before:]

    def published(self) -> list[SuggestionSet | None]:
        """Everything in the suggestion topic, oldest first."""
        log = self.broker.logs[self.topics.suggestions.name, 0]
        return [msgspec.json.decode(record.value, type=SuggestionSet) if record.value else None for record in log]

    def exposures(self) -> list[Exposure]:
        """Everything in the exposure topic, oldest first."""
        log = self.broker.logs[self.topics.exposures.name, 0]
        return [msgspec.json.decode(record.value or b"", type=Exposure) for record in log]

    def told(self, advance_ms: int = 100) -> SuggestionSet:
        """The one set that the next turn publishes."""
        (published,) = self.turn(advance_ms)
        assert published is not None
        return published


def surging_vector(settings: Settings, per_day: float, surge: float) -> NDArray[np.float64]:
    """Searches that are steady but for the last hour, in which there are `surge` times as many; 1 x V."""
    counts = [per_day * window.length_ms / DAY for window in windows(settings.windows)]
    more = (surge - 1) * per_day / 24
    vector = np.zeros((len(counts), len(METRICS)))
    vector[:, METRICS.index("searches")] = [counts[0] * surge, *(count + more for count in counts[1:])]
    return vector.reshape(1, -1)


def other_shards_campaign(partitions: int, shard: int) -> str:
    """A campaign that another shard owns."""
    return next(f"c{n}" for n in range(100) if partition_of(f"c{n}".encode(), partitions) != shard)


def texts(published: SuggestionSet) -> list[str]:
    """Keywords of a set that are suggested, best first."""
    return [one.keyword for one in published.suggestions if not one.adopted]
