"""The scoring worker: signals in, suggestion sets out, for the shards that are its own.

`ScoringWorker.turn` is the order. A worker reads every partition of the signals, since any of them may concern any
campaign, and owns some partitions ("shards") of `suggestions.campaign`, as its setting `scorer_shards` says. Of two
workers that were given the same shard the later one fences the other off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from infra import kafka, metrics
from infra.clock import Clock
from infra.log import get_logger
from infra.settings import Settings, SettingsError
from infra.topics import Topics
from scorers.experiments.reader import ExperimentReader
from scorers.worker.controls import ControlReader
from scorers.worker.known_campaigns import known_campaigns
from scorers.worker.publisher import ShardPublisher
from scorers.worker.shard import ScoringShard, decode_signals
from scorers.worker.told import memories
from streams.contracts.messages import Signal
from streams.exactly_once import CheckpointStore
from streams.log_reader import Start, log_reader
from streams.stage import PartitionRunner, Record, record_of

log = get_logger(__name__)

_REQUEST_S = 10.0
_COMMIT_EVERY_MS = 1_000
_MOST_RECORDS = 2_000


class ObservingScores(Protocol):
    """The part of `scorers.worker.bundles.BundleScorers` that the worker itself calls."""

    def renew(self) -> bool:
        """Take up a bundle that was promoted since; whether there was one."""
        ...

    def observe(self, signals: Sequence[Signal]) -> None:
        """Signals of this turn, before any shard acts on them."""
        ...

    def prepare(self, campaigns: Sequence[str]) -> None:
        """Campaigns that the shards are about to score."""
        ...


def shards_of(settings: Settings) -> list[int]:
    """The shards that `scorer_shards` names.

    Raises:
        SettingsError: it is neither `all` nor numbers and ranges below `partitions`.
    """
    text = settings.scorer_shards.strip()
    if text == "all":
        return list(range(settings.partitions))
    shards: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise SettingsError(f"setting scorer_shards: got {text!r}; allowed are `all`, or numbers and ranges: 0,2-3")
        shards.update(range(int(first), int(last or first) + 1))
    if not shards or max(shards) >= settings.partitions:
        raise SettingsError(
            f"setting scorer_shards: got {text!r}; shards are numbered 0 to {settings.partitions - 1} (partitions)"
        )
    return sorted(shards)


class ScoringWorker:
    """Runs the shards of this process. `run` blocks until `stop`, or until a shard fails."""

    def __init__(
        self,
        settings: Settings,
        scorer: ObservingScores,
        shards: Sequence[ScoringShard],
        checkpoints: CheckpointStore,
        publisher: Callable[[int], ShardPublisher],
        controls: ControlReader,
        experiments: ExperimentReader,
        clock: Clock,
    ) -> None:
        """`publisher` makes the publisher of a shard, which fences the shard's former owner."""
        topics = Topics.of(settings)
        self._settings = settings
        self._scorer = scorer
        self._controls = controls
        self._experiments = experiments
        self._clock = clock
        self.shards = list(shards)
        self._topics = topics
        self._publishers = {shard.number: publisher(shard.number) for shard in self.shards}
        self._signals = topics.signals.name
        self._inputs = {topic.name: topic.partitions for topic in (topics.signals, topics.feedback)}
        self.runners = [
            PartitionRunner(
                stage=shard,
                owner=f"scorer/{shard.number}",
                store=checkpoints,
                publisher=self._publishers[shard.number],
                clock=clock,
                snapshot_journal_bytes=settings.snapshot_journal_bytes,
            )
            for shard in self.shards
        ]
        self._consumer: Consumer = kafka.consumer(settings, f"keypulse-scorer-{self.shards[0].number}")
        self._committed_at = 0
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Make `run` return after the turn at hand. May be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Take the shards over and serve them.

        Raises:
            Fenced: another worker has taken a shard over.
            KafkaException: the broker refused.
        """
        try:
            self.start()
            while not self._stopping.is_set():
                self.turn()
            for runner in self.runners:
                runner.stop()
            self._commit_offsets(asynchronous=False)
        finally:
            self._consumer.close()
            self._controls.close()

    def start(self) -> None:
        """Know what is paused and what experiments run, restore the shards, and score what they know once more."""
        self._controls.start()
        self._experiments.poll()
        for runner in self.runners:
            runner.start()
        self._take_over()
        lost = self._assign() or any(not runner.offsets for runner in self.runners)
        self._rescore_all("restarted", known_campaigns(self._settings) if lost else frozenset())
        metrics.PARTITIONS_OWNED.labels("scorer").set(len(self.shards))
        log.info("scoring shards %s", ", ".join(str(shard.number) for shard in self.shards))

    def turn(self) -> None:
        """Signals pile up for a moment; then each shard scores what they concern and tells what is worth a message."""
        records = self._read()
        self._controls.poll()
        if self._experiments.poll():
            self._rescore_all("stopped")
        if self._scorer.renew():
            self._rescore_all("promoted")
        self._scorer.observe([signal for record in records for signal in self._signals_of(record)])
        now = self._clock.now_ms()
        self._scorer.prepare([campaign for shard in self.shards for campaign in shard.next_campaigns(now)])
        for runner, shard in zip(self.runners, self.shards, strict=True):
            with metrics.BATCH_SECONDS.labels("scorer").time():
                runner.step(_unread_by(runner, records))
            shard.note_published(self._publishers[shard.number].ends)
            self._measure(shard)
        metrics.CAMPAIGNS_WAITING.set(self.waiting)
        if self._clock.now_ms() - self._committed_at >= _COMMIT_EVERY_MS:
            self._commit_offsets(asynchronous=True)

    @property
    def waiting(self) -> int:
        """Campaigns that wait to be scored."""
        return sum(shard.waiting for shard in self.shards)

    def _rescore_all(self, cause: str, known: Collection[str] = ()) -> None:
        now = self._clock.now_ms()
        for shard in self.shards:
            shard.rescore_all(cause, now, known)

    def _read(self) -> list[Record]:
        """What is there after `scorer_interval_ms`, or at once when campaigns wait that should be scored."""
        wait_ms = 0 if any(shard.urgent for shard in self.shards) else self._settings.scorer_interval_ms
        records = []
        for message in self._consumer.consume(_MOST_RECORDS, timeout=wait_ms / 1_000):
            if error := message.error():
                self._check(error)
            else:
                records.append(record_of(message))
        for topic in self._inputs:
            count = sum(record.topic == topic for record in records)
            metrics.RECORDS_CONSUMED.labels("scorer", topic).inc(count)
        return records

    def _signals_of(self, record: Record) -> list[Signal]:
        return decode_signals(record).signals if record.topic == self._signals else []

    def _measure(self, shard: ScoringShard) -> None:
        now = self._clock.now_ms()
        for event_time in shard.take_event_times():
            metrics.EVENT_TO_SUGGESTION_SECONDS.observe(max(now - event_time, 0) / 1_000)

    def _take_over(self) -> None:
        """Read what the shards published last and what was dismissed, before anything is told.

        Nobody else writes our partitions by now. After a clean end that is one transaction of each; all of them when
        the checkpoint is gone.
        """
        suggestions, exposures, feedback = self._topics.suggestions, self._topics.exposures, self._topics.feedback
        with log_reader(self._settings, "scorer-start") as reader:
            told = memories(reader.until_now(suggestions, self._beyond_checkpoint(suggestions.name)))
            for shard in self.shards:
                if behind := shard.take_over(told):
                    log.error(
                        "the checkpoint of shard %d lost what %d campaigns were told; taken over from %s. Check that "
                        "Redis at checkpoint_redis_url runs with appendonly yes and appendfsync always",
                        shard.number,
                        behind,
                        suggestions.name,
                    )
            for record in reader.until_now(exposures, self._beyond_checkpoint(exposures.name)):
                for shard in self.shards:
                    shard.expose(record)
            for record in reader.until_now(feedback, self._unread(feedback.name)):
                for shard in self.shards:
                    shard.dismiss(record)

    def _beyond_checkpoint(self, topic: str) -> Start:
        """Of a topic that the shards write: what their checkpoints may not know."""
        ends = {shard.number: shard.ends.get(topic, 0) for shard in self.shards}
        return lambda partition, low, high: max(low, ends.get(partition, high))

    def _unread(self, topic: str) -> Start:
        """Of a topic that all shards read: what one of them has not."""
        return lambda partition, low, _: max(low, self._read_up_to(topic, partition))

    def _read_up_to(self, topic: str, partition: int) -> int:
        """The offset before which every shard has read."""
        return min(runner.offsets.get((topic, partition), 0) for runner in self.runners)

    def _assign(self) -> bool:
        """Read on from the earliest of the shards' offsets; whether records that a shard had not read are gone."""
        starts, lost = [], False
        for topic, partitions in self._inputs.items():
            for partition in range(partitions):
                place = TopicPartition(topic, partition)
                wanted = self._read_up_to(topic, partition)
                oldest, _ = self._consumer.get_watermark_offsets(place, timeout=_REQUEST_S)
                if oldest > wanted:
                    lost = True
                    log.warning("%s[%d]: records before %d are gone", topic, partition, oldest)
                place.offset = max(oldest, wanted) or OFFSET_BEGINNING
                starts.append(place)
        self._consumer.assign(starts)
        return lost

    def _commit_offsets(self, asynchronous: bool) -> None:
        """For lag tools: the shard that has read least."""
        self._committed_at = self._clock.now_ms()
        places = set.intersection(*(set(runner.offsets) for runner in self.runners))
        offsets = [
            TopicPartition(*place, min(runner.offsets[place] for runner in self.runners)) for place in sorted(places)
        ]
        if offsets:
            self._consumer.commit(offsets=offsets, asynchronous=asynchronous)

    def _check(self, error: KafkaError) -> None:
        if error.fatal() or not error.retriable():
            raise KafkaException(error)
        log.warning("scorer: %s", error.str())


def _unread_by(runner: PartitionRunner, records: Sequence[Record]) -> list[Record]:
    """The shard may have read further than the others before a restart."""
    return [record for record in records if record.offset >= runner.offsets.get((record.topic, record.partition), 0)]
