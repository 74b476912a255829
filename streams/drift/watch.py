"""Looks at the online store every few seconds and says what has drifted, in metrics and signals.

It reads no event and no vector off a topic: the store holds what it needs, a row a category and a row an adopted
keyword. What it knew before a restart it finds in the archived feature log, which holds the same rows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_repo.archive import files_of
from feature_repo.codec import vector_view
from feature_repo.vectors import pair_key, sum_names
from infra import metrics
from infra.clock import Clock
from infra.log import get_logger
from infra.outage import outage
from infra.settings import DAY_MS, MINUTE_MS, Settings
from infra.topics import Topics
from streams.agents.live_items import LiveItems
from streams.contracts.messages import SuggestionSet
from streams.drift.signal import DRIFT_AGAIN_MS, drift_signal
from streams.exactly_once import Outgoing
from streams.log_reader import LogReader
from streams.signal_messages import signal_messages

if TYPE_CHECKING:
    import faust

    from feature_repo.vector_reader import OnlineSource, StateRow, Vectors
    from streams.drift.detectors import Drift
    from streams.stage import Publisher

log = get_logger(__name__)

_TAIL_MS = DAY_MS
"""How much of the archived log is read at start. ADWIN itself forgets what lies before the last change."""
_ARCHIVED_LOOK_MS = 10 * MINUTE_MS
"""How far apart looks at the archive are: a day of 100 busy categories takes 5 s so."""


class DriftWatch:
    """Drift of each category's rates and live calibration. One in a deployment: see `register`."""

    def __init__(self, settings: Settings, source: OnlineSource, live: LiveItems, clock: Clock) -> None:
        # River's drift package takes three seconds to import: only the worker that watches pays for it.
        from streams.drift.detectors import DriftDetector, Increments

        self._settings = settings
        self._topics = Topics.of(settings)
        self._source = source
        self._live = live
        self._clock = clock
        self._gained_by_category = Increments(settings.windows)
        self._gained_by_pair = Increments(settings.windows)
        self._detector = DriftDetector()
        self._predictions = _Predictions(settings)
        self._told_at = 0
        self._restore(clock.now_ms())

    def look(self) -> list[Outgoing]:
        """Take a look; the signals of what has drifted. Blocks for a round trip or two."""
        now_ms = self._clock.now_ms()
        p_click = self._predictions.up_to_now()
        categories, pairs = self._live.categories(), list(p_click)
        read = self._source.read({"category": categories, "pair": pairs}, {"product": _items(pairs)})
        drifts = self._observe(categories, read.vectors["category"], now_ms)
        drifts += self._calibrate(pairs, read.vectors["pair"], _foreseen(p_click, read.rows["product"]), now_ms)
        for drift in drifts:
            metrics.DRIFT_DETECTED.labels(drift.category, drift.rate).inc()
            since = datetime.fromtimestamp(drift.since_ms / 1_000, UTC)
            log.info(
                "since %s UTC %s of %s is %.4f; it was %.4f",
                f"{since:%H:%M}",
                drift.rate,
                drift.category,
                drift.after,
                drift.before,
            )
        self._measure(now_ms)
        if now_ms - self._told_at >= DRIFT_AGAIN_MS:
            self._told_at = now_ms
            drifts = self._detector.under_way(now_ms)
        return signal_messages([drift_signal(drift) for drift in drifts], self._topics.signals, now_ms)

    def close(self) -> None:
        """Give the connection to Kafka back. What was measured is another worker's to say from now on."""
        self._predictions.close()
        metrics.DRIFT_RATIO.clear()
        metrics.LIVE_CALIBRATION.clear()

    def _observe(self, categories: list[str], vectors: Vectors, at_ms: int) -> list[Drift]:
        drifts = []
        for category, counted in self._gained_by_category.observe(categories, *vectors).items():
            drifts += [
                self._detector.observe(category, "ctr", counted.impressions, counted.clicks, at_ms),
                self._detector.observe(category, "conversion", counted.clicks, counted.purchases, at_ms),
            ]
        return [drift for drift in drifts if drift]

    def _calibrate(
        self, pairs: list[str], vectors: Vectors, foreseen: Mapping[str, tuple[str, float]], at_ms: int
    ) -> list[Drift]:
        """Hold clicks on pairs against those that their impressions and P(click) let expect; both are in `foreseen`."""
        of_category: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for pair, counted in self._gained_by_pair.observe(pairs, *vectors).items():
            if pair in foreseen:
                category, p_click = foreseen[pair]
                of_category[category][0] += counted.impressions * p_click
                of_category[category][1] += counted.clicks
        drifts = [
            self._detector.observe(category, "calibration", expected, clicks, at_ms)
            for category, (expected, clicks) in of_category.items()
        ]
        return [drift for drift in drifts if drift]

    def _measure(self, now_ms: int) -> None:
        for (category, rate), ratio in self._detector.ratios(now_ms).items():
            metrics.DRIFT_RATIO.labels(category, rate).set(ratio)
        for category, calibration in self._detector.calibrations().items():
            metrics.LIVE_CALIBRATION.labels(category).set(calibration)

    def _restore(self, now_ms: int) -> None:
        """Look at the archived log's last day as if it were live; what drifted then was told then.

        Pairs are held against the P(click) that was published last: the topic keeps no earlier ones.
        """
        looks = 0
        for categories, vectors in archived_looks(self._settings, "category", now_ms - _TAIL_MS):
            self._observe(categories, vectors, int(vectors.as_of.max()))
            looks += 1
        p_click = self._predictions.up_to_now()
        foreseen = _foreseen(p_click, self._source.rows("product", _items(p_click)))
        for pairs, vectors in archived_looks(self._settings, "pair", now_ms - _TAIL_MS, foreseen):
            self._calibrate(pairs, vectors, foreseen, int(vectors.as_of.max()))
            looks += 1
        log.info("drift watch: %d archived looks", looks)


class _Predictions:
    """The last published P(click) of adopted keywords, by pair, kept up to date from the suggestions topic."""

    def __init__(self, settings: Settings) -> None:
        self._topic = Topics.of(settings).suggestions
        self._reader = LogReader(settings, "drift-watch")
        self._next: dict[int, int] = {}
        self._by_campaign: dict[bytes, dict[str, float]] = {}
        self._decoder = msgspec.json.Decoder(SuggestionSet)

    def up_to_now(self) -> dict[str, float]:
        for record in self._reader.until_now(self._topic, lambda part, low, _high: max(low, self._next.get(part, 0))):
            self._next[record.partition] = record.offset + 1
            self._by_campaign[record.key or b""] = _adopted(self._decoder.decode(record.value)) if record.value else {}
        return {pair: p_click for pairs in self._by_campaign.values() for pair, p_click in pairs.items()}

    def close(self) -> None:
        self._reader.consumer.close()


def _adopted(told: SuggestionSet) -> dict[str, float]:
    """P(click) by pair. What is published is the chance that any of n items is clicked: they are taken to be alike."""
    return {
        pair_key(item, one.canonical): 1 - (1 - one.p_click) ** (1 / len(one.items))
        for one in told.suggestions
        if one.adopted
        for item in one.items
    }


def _items(pairs: Iterable[str]) -> list[str]:
    return [pair.partition("|")[0] for pair in pairs]


def _foreseen(p_click: Mapping[str, float], products: Iterable[StateRow | None]) -> dict[str, tuple[str, float]]:
    """Category and P(click) of the pairs, in whose order the `products` are, that are on sale."""
    return {
        pair: (str(row["category"]), p_click[pair])
        for pair, row in zip(p_click, products, strict=True)
        if row is not None
    }


def archived_looks(
    settings: Settings, kind: str, since_ms: int, keys: Collection[str] | None = None
) -> Iterator[tuple[list[str], Vectors]]:
    """Vectors of categories or pairs in the archived feature log since a moment, in order of time.

    A look has the last vector within ten minutes of each entity that has one there, or of those among `keys`.
    """
    import polars as pl

    from feature_repo.vector_reader import Vectors

    files = sorted(settings.feature_log_path.glob(files_of(kind)))
    if not files:
        return
    moment = pl.col("event_timestamp").dt.epoch("ms")
    wanted = pl.lit(True) if keys is None else pl.col(kind).is_in(list(keys))
    rows = (
        pl.scan_parquet(files)
        .select(kind, "sequence", as_of=moment, sums=pl.col(vector_view(kind)))
        .filter(pl.col("as_of") >= since_ms, wanted, pl.col("sums").list.len() == len(sum_names(settings.windows)))
        .with_columns(look=pl.col("as_of") // _ARCHIVED_LOOK_MS)
        .sort("as_of", "sequence")
        .unique([kind, "look"], keep="last", maintain_order=True)
        .collect()
    )
    for _, look in rows.group_by("look", maintain_order=True):
        yield look[kind].to_list(), Vectors(np.array(look["sums"].to_list()), look["as_of"].to_numpy())


def register(
    app: faust.App, settings: Settings, source: OnlineSource, live: LiveItems, publisher: Publisher, clock: Clock
) -> None:
    """Mount the watch on a Faust app. Of all workers, that one looks which owns the first partition of the products."""
    first = Topics.of(settings).product_state.name, 0
    watch: DriftWatch | None = None

    def look() -> None:
        nonlocal watch
        try:
            watch = watch or DriftWatch(settings, source, live, clock)
            publisher.publish(watch.look())
        except Exception as error:
            # What is only watched must not stop what is counted. The next look begins anew.
            gone = outage(error)
            log.error("drift watch: this look failed: %s", gone or error, exc_info=not gone)
            forget()

    def forget() -> None:
        nonlocal watch
        if watch is not None:
            watch.close()
        watch = None

    async def look_if_ours() -> None:
        ours = first in {(tp.topic, tp.partition) for tp in app.consumer.assignment()}
        await asyncio.to_thread(look if ours else forget)

    app.timer(settings.drift_interval_ms / 1_000)(look_if_ours)
