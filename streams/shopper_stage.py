"""Stage 1, keyed by shopper: decode, deduplicate, attribute, and sum up what to count.

Out come changes to counts per (entity, minute), packed into one message for each entity partition that the batch
touches. An event is counted under item, canonical keyword, item x keyword, campaign and category; a search under
keyword and category. A purchase always counts for its item and category, and for keyword, pair and campaign through the
click that it is attributed to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple, cast
from zlib import crc32

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from feature_repo.vectors import METRICS, entity, pair_key
from infra import metrics
from infra.failure import Failure
from infra.settings import MINUTE_MS, Settings
from infra.topics import Topics
from streams.attribution import Attributed, Attribution, Click, Purchase, ShopperItem
from streams.canonical import NO_VERSION, NORMAL, CanonicalForms, named
from streams.contracts.decoding import EventDecoder
from streams.contracts.events import EVENT_TYPES, Event, EventName
from streams.contracts.events import Click as ClickEvent
from streams.contracts.events import Impression as ImpressionEvent
from streams.contracts.events import Purchase as PurchaseEvent
from streams.contracts.events import Search as SearchEvent
from streams.contracts.messages import FeatureDeltas, KeywordsSeen
from streams.contracts.placement import check_placement
from streams.contracts.rejection import Rejected
from streams.deadletters import deadletter
from streams.deduplication import DUPLICATE, NEW, Deduplication, Verdict
from streams.exactly_once import Checkpoint, Outgoing, Progress
from streams.stage import Outcome, Record

_SAMPLED_EVENT_TIMES = 16
Ints = NDArray[np.int64]
_SEARCHES, _IMPRESSIONS, _CLICKS, _PURCHASES, _UNITS, _REVENUE = range(len(METRICS))


class OtherDictionary(Failure):
    """What a checkpoint holds was counted under another version of the dictionary."""


class _Accepted(Struct, array_like=True):
    """What a batch added to the state: the journal entry; and, of everything, the snapshot."""

    newest: list[int]
    ids: list[dict[str, int]]
    clicks: list[tuple[str, str, Click]]
    purchases: list[tuple[str, str, Attributed]]
    keywords: list[str]
    dictionary: str = NO_VERSION
    """Version of the dictionary under which was counted."""


class ShopperStage:
    """The state of one shopper partition: ids and newest event time of its four logs, and attribution."""

    name = "shopper"

    def __init__(
        self,
        partition: int,
        settings: Settings,
        topics: Topics,
        buried: Mapping[str, Set[int]] | None = None,
        canonical: CanonicalForms = NORMAL,
    ) -> None:
        """`buried`: offsets, by topic, of records that have their dead letter from before a rebuild; `canonical`: what
        keywords count under."""
        self._partition = partition
        self._settings = settings
        self._topics = topics
        self._decoder = EventDecoder(settings)
        self._names: dict[str, EventName] = {
            topic.name: name for topic, name in zip(topics.events, EVENT_TYPES, strict=True)
        }
        self._number = {name: number for number, name in enumerate(EVENT_TYPES)}
        self._logs = [Deduplication(settings.late_horizon_ms) for _ in EVENT_TYPES]
        self._journaled_newest = [log.newest for log in self._logs]
        self._attribution = Attribution(settings.attribution_window_ms)
        self._reported: set[str] = set()
        self._buried = buried or {}
        self._canonical = canonical
        self._guard = deadletter.BadRecordGuard(settings)

    def restore(self, checkpoint: Checkpoint, progress: Progress) -> None:
        """As `streams.stage.Stage.restore`.

        Raises:
            OtherDictionary: it was counted under another version.
        """
        self._progress = progress
        for entry in [checkpoint.snapshot, *checkpoint.journal]:
            if entry:
                self._apply(msgspec.msgpack.decode(entry, type=_Accepted))

    def process(self, records: Sequence[Record], now_ms: int) -> Outcome:
        """Take records of the four event topics of this partition.

        Raises:
            TooManyBadRecords: so many records are bad that dead-lettering them all would hide an outage.
        """
        events: dict[EventName, list[Event]] = defaultdict(list)
        outgoing: list[Outgoing] = []
        good = 0
        for record in records:
            name = self._names[record.topic]
            try:
                event = self._decoder.decode(name, record.value, record.time_ms)
                check_placement(record.key, event.shopper, self._partition, self._settings.partitions)
                verdict = self.judge(name, event)
            except Exception as error:  # one record's trouble, be it our fault, must not stop the others
                if letters := self._reject(record, error, now_ms):
                    self._guard.note(True, good)
                    self._guard.note(False)
                    good = 0
                    outgoing += letters
                continue
            good += 1
            if verdict is NEW:
                events[name].append(event)
            elif verdict is DUPLICATE:
                metrics.RECORDS_DUPLICATE.labels(record.topic).inc()
            else:
                late = Rejected(
                    "too_late",
                    "$.event_time",
                    f"{event.event_time} is older than the newest event of its partition minus the horizon of "
                    f"{self._settings.late_horizon_ms} ms; send events as they happen, or raise late_horizon_ms",
                )
                outgoing += self._reject(record, late, now_ms)
        self._guard.note(True, good)
        return self.count(events, outgoing)

    def judge(self, name: EventName, event: Event) -> Verdict:
        """What the next event of a log is to it; a new one is remembered, and must be counted."""
        return self._logs[self._number[name]].judge(event.event_id, event.event_time)

    def count(self, events: dict[EventName, list[Event]], outgoing: list[Outgoing]) -> Outcome:
        """Attribute and count accepted events; the messages follow those in `outgoing`."""
        counts = Counts(self._canonical)
        accepted = _Accepted(
            [log.newest for log in self._logs],
            [{event.event_id: event.event_time for event in events.get(name, ())} for name in EVENT_TYPES],
            [],
            [],
            [],
            self._canonical.version,
        )
        seen: list[tuple[str, str]] = []
        searches = cast("list[SearchEvent]", events.get("search", []))
        impressions = cast("list[ImpressionEvent]", events.get("impression", []))
        clicks = cast("list[ClickEvent]", events.get("click", []))
        counts.add_searches(searches)
        counts.add_shown(_IMPRESSIONS, impressions)
        counts.add_shown(_CLICKS, clicks)
        for query in dict.fromkeys(event.query for event in searches):
            keyword = self._canonical(query)
            if keyword not in self._reported:
                self._reported.add(keyword)
                seen.append((keyword, query))
        for clicked_on in clicks:
            keyword = self._canonical(clicked_on.keyword)
            click = Click(clicked_on.event_time, clicked_on.event_id, keyword, clicked_on.campaign)
            self._click((clicked_on.shopper, clicked_on.item), click, counts)
            accepted.clicks.append((clicked_on.shopper, clicked_on.item, click))
        for event in cast("list[PurchaseEvent]", events.get("purchase", [])):
            purchase = Purchase(event.event_time, event.event_id, event.quantity, event.quantity * event.unit_price)
            counts.add_purchase(purchase, (entity("item", event.item), entity("category", event.category)))
            clicked = self._attribution.add_purchase((event.shopper, event.item), purchase)
            if clicked:
                counts.add_purchase(purchase, clicked_entities(event.item, clicked))
            accepted.purchases.append((event.shopper, event.item, Attributed(purchase, clicked)))
        self._forget()
        # A duplicate is not counted, yet its time may raise the bound.
        if not any(accepted.ids) and accepted.newest == self._journaled_newest:
            return Outcome(None, outgoing)
        self._journaled_newest = accepted.newest
        accepted.keywords = [keyword for keyword, _ in seen]
        outgoing += self._deltas(counts, [event.event_time for many in events.values() for event in many])
        outgoing += self._keywords_seen(seen)
        return Outcome(msgspec.msgpack.encode(accepted), outgoing)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(
            _Accepted(
                [log.newest for log in self._logs],
                [log.remembered() for log in self._logs],
                [(*key, click) for key, click in self._attribution.clicks()],
                [(*key, attributed) for key, attributed in self._attribution.purchases()],
                sorted(self._reported),
                self._canonical.version,
            )
        )

    def before_publish(self, outgoing: Sequence[Outgoing], epoch: int) -> None:
        """Stage 1 writes nothing but messages."""

    def _apply(self, accepted: _Accepted) -> None:
        if accepted.dictionary != self._canonical.version:
            raise OtherDictionary(
                f"{self.name}/{self._partition} was counted under {named(accepted.dictionary)}, topic "
                f"{self._topics.dictionary.name} has {named(self._canonical.version)}: counts of both would not add "
                "up. Stop the workers and run `keypulse rebuild`, or publish the former dictionary again"
            )
        for log, ids, newest in zip(self._logs, accepted.ids, accepted.newest, strict=True):
            log.remember(ids.items(), newest)
        for shopper, item, click in accepted.clicks:
            self._attribution.add_click((shopper, item), click)
        for shopper, item, attributed in accepted.purchases:
            self._attribution.load_purchase((shopper, item), attributed)
        self._reported.update(accepted.keywords)
        self._journaled_newest = accepted.newest

    def _click(self, key: ShopperItem, click: Click, counts: Counts) -> None:
        for correction in self._attribution.add_click(key, click):
            metrics.ATTRIBUTION_CORRECTIONS.inc()
            if correction.before:
                counts.add_purchase(correction.purchase, clicked_entities(key[1], correction.before), sign=-1)
            counts.add_purchase(correction.purchase, clicked_entities(key[1], correction.after))

    def _forget(self) -> None:
        for log, topic in zip(self._logs, self._topics.events, strict=True):
            log.purge()
            metrics.WATERMARK_MS.labels(topic.name, str(self._partition)).set(log.newest)
        _, _, clicks, purchases = self._logs
        self._attribution.forget(clicks.bound, purchases.bound)
        for what, kept in (("clicks", self._attribution.clicks_kept), ("purchases", self._attribution.purchases_kept)):
            metrics.ATTRIBUTION_KEPT.labels(str(self._partition), what).set(kept)

    def _reject(self, record: Record, error: Exception, now_ms: int) -> list[Outgoing]:
        """The record's dead letter; none when it has one from before a rebuild."""
        if record.offset in self._buried.get(record.topic, ()):
            return []
        return [deadletter.bury(record, error, self._topics.deadletter.name, now_ms)]

    def _deltas(self, counts: Counts, event_times: list[int]) -> list[Outgoing]:
        sample = event_times[:: len(event_times) // _SAMPLED_EVENT_TIMES + 1]
        messages = []
        for partition, packed in counts.packed(self._settings.partitions).items():
            envelope = self._progress.next_envelope(f"entity/{partition}")
            value = msgspec.msgpack.encode(FeatureDeltas(envelope, *packed, sample))
            messages.append(Outgoing(self._topics.deltas.name, partition, None, value))
        return messages

    def _keywords_seen(self, seen: list[tuple[str, str]]) -> list[Outgoing]:
        if not seen:
            return []
        envelope = self._progress.next_envelope("keywords")
        value = msgspec.msgpack.encode(KeywordsSeen(envelope, seen))
        return [Outgoing(self._topics.keywords_seen.name, self._partition, None, value)]


class Counts:
    """Changes to counts of one batch: which entities an event was counted for, by minute and metric.

    Events are counted by columns: a name is made once for what is the same, and all else is arithmetic on arrays.
    """

    def __init__(self, canonical: CanonicalForms) -> None:
        self._canonical = canonical
        self._numbers: dict[str, int] = defaultdict(lambda: len(self._numbers))
        self._counted: list[tuple[int, Ints, Ints]] = []
        self._amounts: list[tuple[int, int, str, int]] = []

    def add_searches(self, events: Sequence[SearchEvent]) -> None:
        """Count each search for its keyword and category."""
        if events:
            minutes = _minutes(events)
            queries = _Column.of([event.query for event in events])
            self._add(_SEARCHES, minutes, "keyword", queries.mapped(self._canonical))
            self._add(_SEARCHES, minutes, "category", _Column.of([event.category for event in events]))

    def add_shown(self, metric: int, events: Sequence[ImpressionEvent | ClickEvent]) -> None:
        """Count each impression or click for its item, category, keyword, pair and campaign."""
        if not events:
            return
        minutes = _minutes(events)
        items = _Column.of([event.item for event in events])
        keywords = _Column.of([event.keyword for event in events]).mapped(self._canonical)
        self._add(metric, minutes, "item", items)
        self._add(metric, minutes, "category", _Column.of([event.category for event in events]))
        self._add(metric, minutes, "keyword", keywords)
        self._add(metric, minutes, "pair", _pairs(items, keywords))
        campaigns = [event.campaign or "" for event in events]
        promoted = np.fromiter(map(bool, campaigns), np.bool_, len(campaigns))
        self._add(metric, minutes[promoted], "campaign", _Column.of(list(filter(None, campaigns))))

    def add_purchase(self, purchase: Purchase, entities: tuple[str, ...], sign: int = 1) -> None:
        """Count (or, with sign -1, take back) a purchase in the tile of its own time."""
        minute = purchase.time // MINUTE_MS
        for metric, amount in ((_PURCHASES, 1), (_UNITS, purchase.units), (_REVENUE, purchase.revenue)):
            self._amounts += [(minute, metric, name, sign * amount) for name in entities]

    def _add(self, metric: int, minutes: Ints, kind: str, keys: _Column) -> None:
        numbers = np.array([self._numbers[entity(kind, key)] for key in keys.values], np.int64)
        self._counted.append((metric, minutes, numbers[keys.place]))

    def packed(self, partitions: int) -> dict[int, tuple[list[str], bytes, bytes, bytes]]:
        """Per entity partition: entities, and the rows' entity numbers, minutes and amounts, as in `FeatureDeltas`."""
        numbers = self._numbers
        bought: Ints = np.array(
            [(minute, metric, numbers[name], amount) for minute, metric, name, amount in self._amounts], np.int64
        ).reshape(-1, 4)
        if not numbers:
            return {}
        lengths = [len(minutes) for _, minutes, _ in self._counted]
        minute = np.concatenate([*(minutes for _, minutes, _ in self._counted), bought[:, 0]])
        metric = np.concatenate([np.repeat([metric for metric, _, _ in self._counted], lengths), bought[:, 1]])
        entity_of = np.concatenate([*(places for _, _, places in self._counted), bought[:, 2]])
        amount = np.concatenate([np.ones(sum(lengths), np.int64), bought[:, 3]])
        rows, row_of = np.unique(minute * len(numbers) + entity_of, return_inverse=True)
        amounts = np.zeros((len(rows), len(METRICS)), np.int64)
        np.add.at(amounts, (row_of, metric.astype(np.int64)), amount)
        minutes, entity_of = np.divmod(rows, len(numbers))
        names = list(numbers)
        partition_of = np.array([crc32(name.encode()) % partitions for name in names])[entity_of]
        packed = {}
        for partition in np.unique(partition_of).tolist():
            inside = partition_of == partition
            present, local = np.unique(entity_of[inside], return_inverse=True)
            packed[partition] = (
                [names[number] for number in present.tolist()],
                local.astype("<i4").tobytes(),
                minutes[inside].astype("<i4").tobytes(),
                amounts[inside].astype("<i8").tobytes(),
            )
        return packed


class _Column(NamedTuple):
    """A value of each event: that of event e is `values[place[e]]`."""

    values: list[str]
    """Each once."""
    place: Ints

    @classmethod
    def of(cls, values: list[str]) -> _Column:
        places = {value: place for place, value in enumerate(dict.fromkeys(values))}
        return cls(list(places), np.fromiter(map(places.__getitem__, values), np.int64, len(values)))

    def mapped(self, function: Callable[[str], str]) -> _Column:
        """The column of the function's values."""
        column = _Column.of([function(value) for value in self.values])
        return _Column(column.values, column.place[self.place])


def _pairs(items: _Column, keywords: _Column) -> _Column:
    both, place = np.unique(items.place * len(keywords.values) + keywords.place, return_inverse=True)
    item_of, keyword_of = (places.tolist() for places in np.divmod(both, len(keywords.values)))
    names = [f"{items.values[i]}|{keywords.values[k]}" for i, k in zip(item_of, keyword_of, strict=True)]
    return _Column(names, place)


def _minutes(events: Sequence[Event]) -> Ints:
    return np.fromiter((event.event_time for event in events), np.int64, len(events)) // MINUTE_MS


def clicked_entities(item: str, click: Click) -> tuple[str, ...]:
    """The entities that a purchase counts for through its click."""
    entities = (entity("keyword", click.keyword), entity("pair", pair_key(item, click.keyword)))
    return entities if click.campaign is None else (*entities, entity("campaign", click.campaign))
