"""Stage 2, keyed by entity: add up the changes, move the windows on, write vectors, and signal material movements.

Vectors go out in a message to the feature log, and the same message is what is written to the online store before it is
published. So a crash at any point leaves the message in the outbox, and the next owner writes the vectors again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np
from cramjam import zstd
from msgspec import Struct
from numpy.typing import NDArray

from feature_repo.fence import StoreEmptied
from feature_repo.vector_writer import VectorSink
from feature_repo.vectors import KINDS, METRICS, split_entity, windows
from infra import metrics
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import FeatureDeltas, FeatureRows, Signal, Signals
from streams.exactly_once import Checkpoint, Outgoing, Progress
from streams.signals import movements
from streams.stage import Outcome, Record
from streams.surges import SURGE_AGAIN_MS, SurgeDetector
from streams.windows import WindowSums

_ROWS_OF_A_MESSAGE = 20_000
_SAMPLED_EVENT_TIMES = 64
_NOBODY_WAITS = 0
_SEARCHES = METRICS.index("searches")
_KEYWORD = KINDS.index("keyword")


class _Entry(Struct, array_like=True):
    """What a batch changed: the journal entry. Messages are kept as they came; to restore is to add them up again."""

    deltas: list[bytes]
    flushed_at: int
    """As-of time of the vectors written after these deltas, ms; 0 when none were."""


class _Tile(Struct, array_like=True):
    window: int
    tile: int
    slots: bytes
    amounts: bytes


class _Snapshot(Struct, array_like=True):
    as_of: int
    entities: list[str]
    tiles: list[_Tile]
    told: bytes
    written_at: bytes
    newest: bytes
    waiting_since: bytes
    dirty: bytes


class EntityStage:
    """The state of one entity partition. An entity's number in it is its slot."""

    name = "entity"
    _rewrite: Literal["no", "due", "flushed"]
    """How far writing every vector again has come, after the online store was emptied."""

    def __init__(self, partition: int, settings: Settings, topics: Topics, store: VectorSink) -> None:
        self._partition = partition
        self._settings = settings
        self._topics = topics
        self._store = store
        self._windows = windows(settings.windows)
        self._width = len(self._windows) * len(METRICS)
        self._usual = min(1, len(self._windows) - 1)
        """Number of the window that says what is usual: longer than a surge, short enough to follow the day."""
        self._reset()

    def restore(self, checkpoint: Checkpoint, progress: Progress) -> None:
        """Fence the former owner off the online store, then become what snapshot and journal say.

        Vectors of an online store that was emptied are all due to be written again.
        """
        emptied = self._store.acquire(self._partition, checkpoint.epoch)
        self._progress = progress
        self._reset()
        if checkpoint.snapshot:
            self._load(msgspec.msgpack.decode(bytes(zstd.decompress(checkpoint.snapshot)), type=_Snapshot))
        for raw in checkpoint.journal:
            entry = msgspec.msgpack.decode(raw, type=_Entry)
            self._add([msgspec.msgpack.decode(value, type=FeatureDeltas) for value in entry.deltas])
            if entry.flushed_at:
                self._flush(entry.flushed_at)
        if emptied:
            self._write_all_again()

    def process(self, records: Sequence[Record], now_ms: int) -> Outcome:
        """Add the records' changes; when the interval has passed, write the vectors that changed as of `now_ms`.

        Raises:
            SequenceGap: changes are missing.
        """
        taken = self._take(records)
        outgoing: list[Outgoing] = []
        flush = now_ms - self._flushed_at >= self._settings.vector_interval_ms
        if flush:
            outgoing = self._outgoing(*self._flush(now_ms), now_ms)
        if not taken and not outgoing:
            return Outcome()
        return Outcome(msgspec.msgpack.encode(_Entry(taken, now_ms if flush else 0)), outgoing)

    @property
    def entities(self) -> Sequence[str]:
        """Name of each slot. Only grows."""
        return self._entities

    def process_past(self, records: Sequence[Record], now_ms: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Add the records' changes; the slots whose vectors are due as of `now_ms`, and those vectors (n x V).

        There is no journal, and nobody is told: whoever starts afterwards reads the vectors, which so count as told.

        Raises:
            SequenceGap: changes are missing.
        """
        self._flushed_at = now_ms
        # Moved on first, the windows need not take up what has left them by then.
        self._dirty[self._sums.advance(now_ms)] = True
        self._take(records)
        self._searches.clear()
        due = self._take_due(now_ms)
        sums = self._sums.sums[due]
        self._told[due] = sums
        self._waiting_since[due] = _NOBODY_WAITS
        return due, sums.reshape(len(due), self._width)

    def snapshot(self) -> bytes:
        count = len(self._entities)
        tiles = [
            _Tile(window, tile, slots.tobytes(), amounts.tobytes())
            for window, tile, slots, amounts in self._sums.tiles()
        ]
        snapshot = _Snapshot(
            self._sums.as_of,
            self._entities,
            tiles,
            self._told[:count].tobytes(),
            self._written_at[:count].tobytes(),
            self._newest[:count].tobytes(),
            self._waiting_since[:count].tobytes(),
            self._dirty[:count].tobytes(),
        )
        return bytes(zstd.compress(msgspec.msgpack.encode(snapshot), level=1))

    def vectors(self) -> tuple[list[str], NDArray[np.float64], int]:
        """All entities, their sums (n x V), and the moment they are summed for (ms)."""
        count = len(self._entities)
        return self._entities, self._sums.sums[:count].reshape(count, self._width).astype(np.float64), self._sums.as_of

    def before_publish(self, outgoing: Sequence[Outgoing], epoch: int) -> Sequence[int]:
        """Write the vectors of the feature-log messages to the online store."""
        waited: dict[int, list[int]] = {}
        try:
            self._store.check(self._partition, epoch)
            for message in outgoing:
                if message.topic == self._topics.features_log.name and message.value:
                    rows = msgspec.msgpack.decode(message.value, type=FeatureRows)
                    sums = np.frombuffer(rows.sums, "<f8").reshape(len(rows.entities), -1)
                    self._store.write(self._partition, epoch, rows.entities, sums, rows.as_of)
                    waited[rows.as_of] = rows.event_times  # one sample, in every message of a flush
        except StoreEmptied:
            self._store.acquire(self._partition, epoch)
            self._write_all_again()
            waited.clear()
        if self._rewrite == "flushed":
            self._store.confirm(self._partition)
            self._rewrite = "no"
        return [event_time for event_times in waited.values() for event_time in event_times]

    def _reset(self) -> None:
        self._entities: list[str] = []
        self._slots: dict[str, int] = {}
        self._kinds: NDArray[np.int8] = np.zeros(0, np.int8)
        """Of each entity, as its place in KINDS."""
        self._known = 0
        self._sums = WindowSums(self._windows)
        self._surges = SurgeDetector(self._settings.signal_surge_factor, self._settings.signal_surge_odds)
        self._searches: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []
        """Keywords' searches since the last flush: slots and counts."""
        self._surge_told_at: dict[int, int] = {}
        self._flushed_at = 0
        self._rewrite = "no"
        self._told: NDArray[np.int64] = np.zeros_like(self._sums.sums)
        self._written_at: NDArray[np.int64] = np.zeros(0, np.int64)
        # Event times, ms: of the newest event, and of the oldest one whose count stands in no vector yet.
        self._newest: NDArray[np.int64] = np.zeros(0, np.int64)
        self._waiting_since: NDArray[np.int64] = np.zeros(0, np.int64)
        self._dirty: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def _grow(self) -> None:
        self._sums.grow(len(self._entities))
        missing = len(self._sums.sums) - len(self._dirty)
        if missing:
            self._surges.grow(len(self._sums.sums))
            self._kinds = np.concatenate([self._kinds, np.zeros(missing, np.int8)])
            self._told = np.concatenate([self._told, np.zeros((missing, *self._told.shape[1:]), np.int64)])
            self._written_at = np.concatenate([self._written_at, np.zeros(missing, np.int64)])
            self._newest = np.concatenate([self._newest, np.zeros(missing, np.int64)])
            self._waiting_since = np.concatenate([self._waiting_since, np.zeros(missing, np.int64)])
            self._dirty = np.concatenate([self._dirty, np.zeros(missing, np.bool_)])
        for slot in range(self._known, len(self._entities)):
            self._kinds[slot] = KINDS.index(split_entity(self._entities[slot])[0])
        self._known = len(self._entities)

    def _take(self, records: Sequence[Record]) -> list[bytes]:
        """Add up what the records hold; those of them that are new."""
        taken: list[bytes] = []
        news: list[FeatureDeltas] = []
        for record in records:
            assert record.value is not None
            deltas = msgspec.msgpack.decode(record.value, type=FeatureDeltas)
            if self._progress.take(deltas.envelope):
                taken.append(record.value)
                news.append(deltas)
            else:
                metrics.MESSAGES_REPEATED.labels(self.name).inc()
        self._add(news)
        return taken

    def _add(self, messages: Sequence[FeatureDeltas]) -> None:
        """Add up all rows of the messages at once."""
        if not messages:
            return
        slots_of = [self._slots_of(message) for message in messages]
        self._grow()
        slots = np.concatenate(slots_of)
        minutes = np.concatenate([np.frombuffer(message.minutes, "<i4") for message in messages])
        amounts = np.concatenate([np.frombuffer(message.amounts, "<i8") for message in messages])
        amounts = amounts.reshape(len(slots), len(METRICS))
        self._sums.add(slots, minutes, amounts)
        self._dirty[slots] = True
        searched = (amounts[:, _SEARCHES] > 0) & (self._kinds[slots] == _KEYWORD)
        self._searches.append((slots[searched], amounts[searched, _SEARCHES]))
        for message, rows in zip(messages, slots_of, strict=True):
            if message.event_times:
                # The middle one: a batch spans milliseconds, but a few of its events are late or ahead by minutes.
                event_time = sorted(message.event_times)[len(message.event_times) // 2]
                self._newest[rows] = np.maximum(self._newest[rows], event_time)
                waiting = self._waiting_since[rows]
                self._waiting_since[rows] = np.where(waiting == _NOBODY_WAITS, event_time, waiting)

    def _slots_of(self, message: FeatureDeltas) -> NDArray[np.int32]:
        """Slot of each row; new entities get one."""
        known, entities = self._slots, self._entities
        slots = np.empty(len(message.entities), np.int32)
        for number, name in enumerate(message.entities):
            slot = known.get(name)
            if slot is None:
                slot = known[name] = len(entities)
                entities.append(name)
            slots[number] = slot
        return np.take(slots, np.frombuffer(message.entity_of, "<i4"))

    def _flush(self, as_of: int) -> tuple[NDArray[np.int64], list[Signal], list[int]]:
        """Move the windows to `as_of`; slots whose vectors are due, what moved materially, a sample of event times."""
        self._flushed_at = as_of
        if self._rewrite == "due":
            self._rewrite = "flushed"
        self._dirty[self._sums.advance(as_of)] = True
        due = self._take_due(as_of)
        now, told = self._sums.sums[due], self._told[due]
        moved = movements(told, now, self._settings.signal_min_count, self._settings.signal_min_relative_change)
        signals = []
        for row, window, metric in zip(moved.rows, moved.windows, moved.metrics, strict=True):
            before, after = int(told[row, window, metric]), int(now[row, window, metric])
            signals.append(
                Signal(
                    entity=self._entities[due[row]],
                    cause="moved" if after > before else "decayed",
                    metric=METRICS[metric],
                    window=self._windows[window].name,
                    before=before,
                    after=after,
                    event_time=int(self._newest[due[row]]) if self._waiting_since[due[row]] else 0,
                )
            )
        self._told[due[moved.rows]] = now[moved.rows]
        signals += self._surged(as_of)
        waited = self._waiting_since[due]
        waited = waited[waited != _NOBODY_WAITS]
        self._waiting_since[due] = _NOBODY_WAITS
        return due, signals, waited[:: len(waited) // _SAMPLED_EVENT_TIMES + 1].tolist()

    def _take_due(self, as_of: int) -> NDArray[np.int64]:
        """Slots whose vectors are due as of now; they count as written."""
        due = np.flatnonzero(self._dirty & (self._written_at <= as_of - self._settings.entity_interval_ms))
        self._dirty[due] = False
        self._written_at[due] = as_of
        return due

    def _surged(self, as_of: int) -> list[Signal]:
        """Keywords that are suddenly searched more. What goes on is told again, so that whoever missed it knows."""
        if not self._searches:
            return []
        slots, row = np.unique(np.concatenate([slots for slots, _ in self._searches]), return_inverse=True)
        searches = np.bincount(row, np.concatenate([counts for _, counts in self._searches]))
        self._searches.clear()
        usual = self._sums.sums[: self._known, self._usual, _SEARCHES]
        of_all = int(usual[self._kinds[: self._known] == _KEYWORD].sum())
        self._surges.add(slots, searches.astype(np.int64), usual[slots], of_all, as_of)
        signals = []
        for slot in slots[self._surges.surging(slots)].tolist():
            surge = self._surges.surge(slot, as_of)
            if surge.seen < self._settings.signal_min_count:
                continue
            if as_of - self._surge_told_at.get(slot, 0) >= SURGE_AGAIN_MS:
                self._surge_told_at[slot] = as_of
                signals.append(
                    Signal(
                        entity=self._entities[slot],
                        cause="surged",
                        metric="searches",
                        window=f"{surge.seconds}s",
                        before=math.ceil(surge.expected),
                        after=surge.seen,
                        event_time=int(self._newest[slot]),
                    )
                )
        return signals

    def _outgoing(
        self, due: NDArray[np.int64], signals: list[Signal], event_times: list[int], as_of: int
    ) -> list[Outgoing]:
        outgoing = [self._feature_rows(part, event_times, as_of) for part in _parts(due)]
        if signals:
            envelope = self._progress.next_envelope(f"signals/{self._partition}")
            value = msgspec.msgpack.encode(Signals(envelope, as_of, signals))
            outgoing.append(Outgoing(self._topics.signals.name, self._partition, None, value))
        for signal in signals:
            metrics.SIGNALS_SENT.labels(split_entity(signal.entity)[0]).inc()
        metrics.ENTITIES_KNOWN.labels(str(self._partition)).set(len(self._entities))
        return outgoing

    def _feature_rows(self, due: NDArray[np.int64], event_times: list[int], as_of: int) -> Outgoing:
        envelope = self._progress.next_envelope(f"features.log/{self._partition}")
        entities = [self._entities[slot] for slot in due.tolist()]
        sums = self._sums.sums[due].astype("<f8").tobytes()
        for kind, count in zip(KINDS, np.bincount(self._kinds[due], minlength=len(KINDS)).tolist(), strict=True):
            metrics.VECTORS_WRITTEN.labels(kind).inc(count)
        value = msgspec.msgpack.encode(FeatureRows(envelope, as_of, entities, sums, event_times))
        return Outgoing(self._topics.features_log.name, self._partition, None, value)

    def _write_all_again(self) -> None:
        """Make every vector due. The store counts as emptied until `confirm`, so a crash meanwhile starts this over."""
        self._rewrite = "due"
        self._dirty[: len(self._entities)] = True
        self._written_at[:] = 0

    def _load(self, snapshot: _Snapshot) -> None:
        self._entities = snapshot.entities
        self._slots = {name: slot for slot, name in enumerate(self._entities)}
        self._sums.as_of = snapshot.as_of
        self._flushed_at = snapshot.as_of
        self._grow()
        for tile in snapshot.tiles:
            amounts = np.frombuffer(tile.amounts, np.int64).reshape(-1, len(METRICS))
            self._sums.load_tile(tile.window, tile.tile, np.frombuffer(tile.slots, np.int32), amounts)
        count = len(self._entities)
        self._told[:count] = np.frombuffer(snapshot.told, np.int64).reshape(count, *self._told.shape[1:])
        self._written_at[:count] = np.frombuffer(snapshot.written_at, np.int64)
        self._newest[:count] = np.frombuffer(snapshot.newest, np.int64)
        self._waiting_since[:count] = np.frombuffer(snapshot.waiting_since, np.int64)
        self._dirty[:count] = np.frombuffer(snapshot.dirty, np.bool_)


def _parts(due: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(due), _ROWS_OF_A_MESSAGE):
        yield due[start : start + _ROWS_OF_A_MESSAGE]
