"""Looks at the online store every few seconds and says what has drifted, in metrics and signals.

It reads no event and no vector off a topic: the store holds what it needs, a row a category and a row an adopted
keyword. What it knew before a restart it finds in the archived feature log, which holds the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_repo.archive import files_of
from feature_repo.codec import vector_view
from feature_repo.vectors import entity, pair_key, sum_names
from infra import metrics
from infra.clock import Clock
from infra.log import get_logger
from infra.settings import DAY_MS, MINUTE_MS, Settings
from infra.topics import Topics
from streams.agents import signal_messages
from streams.exactly_once import Outgoing
from streams.live_items import LiveItems
from streams.log_reader import LogReader
from streams.messages import Signal, SuggestionSet

if TYPE_CHECKING:
    import faust

    from feature_repo.vector_reader import OnlineSource, Vectors
    from streams.drift import Drift
    from streams.stage import Publisher

log = get_logger(__name__)

_TAIL_MS = DAY_MS
"""How much of the archived log is read at start. ADWIN itself forgets what lies before the last change."""
_PER_MILLION = 1_000_000


class DriftWatch:
    """Drift of each category's rates, and live calibration. One in a deployment: see `register`."""

    def __init__(self, settings: Settings, source: OnlineSource, live: LiveItems, clock: Clock) -> None:
        # River's drift package takes three seconds to import: only the worker that watches pays for it.
        from streams.drift import Calibration, DriftDetector, Increments

        self._settings = settings
        self._topics = Topics.of(settings)
        self._source = source
        self._live = live
        self._clock = clock
        self._categories = Increments(settings.windows)
        self._pairs = Increments(settings.windows)
        self._detector = DriftDetector()
        self._calibration = Calibration()
        self._predictions = _Predictions(settings)
        self._restore(clock.now_ms())

    def look(self) -> list[Outgoing]:
        """Take a look; the signals of what has drifted. Blocks for a round trip or two."""
        now_ms = self._clock.now_ms()
        self._calibrate()
        categories = self._live.categories()
        drifts = self._observe(categories, self._source.vectors("category", categories))
        for drift in drifts:
            metrics.DRIFT_DETECTED.labels(drift.category, drift.rate).inc()
            log.info("%s of %s went from %.4f to %.4f", drift.rate, drift.category, drift.before, drift.after)
        return signal_messages([_signal(drift) for drift in drifts], self._topics.signals, now_ms)

    def close(self) -> None:
        """Give the connection to Kafka back."""
        self._predictions.close()

    def _observe(self, categories: list[str], vectors: Vectors) -> list[Drift]:
        gained = self._categories.observe(categories, vectors.sums, vectors.as_of)
        return [drift for category, counted in gained.items() for drift in self._detector.observe(category, counted)]

    def _calibrate(self) -> None:
        adopted = self._predictions.up_to_now()
        pairs = list(adopted)
        if not pairs:
            return
        read = self._source.read({"pair": pairs}, {"product": [pair.partition("|")[0] for pair in pairs]})
        predicted = {
            pair: (str(row["category"]), adopted[pair])
            for pair, row in zip(pairs, read.rows["product"], strict=True)
            if row is not None
        }
        gained = self._pairs.observe(pairs, read.vectors["pair"].sums, read.vectors["pair"].as_of)
        self._calibration.observe({pair: gained[pair] for pair in gained if pair in predicted}, predicted)
        for category, ratio in self._calibration.ratios().items():
            metrics.LIVE_CALIBRATION.labels(category).set(ratio)

    def _restore(self, now_ms: int) -> None:
        """Look at the archived log's last day as if it were live; what drifted then was told then."""
        looks = 0
        for categories, vectors in archived_looks(self._settings, now_ms - _TAIL_MS):
            self._observe(categories, vectors)
            looks += 1
        log.info("drift watch: %d archived looks", looks)


class _Predictions:
    """The last published P(click) of adopted keywords, by pair, kept up to date from the suggestions topic.

    Of campaigns with one item only: there P(click) is that of an impression, elsewhere that of a page with any of them.
    """

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
    return {
        pair_key(one.items[0], one.canonical): one.p_click
        for one in told.suggestions
        if one.adopted and len(one.items) == 1
    }


def _signal(drift: Drift) -> Signal:
    return Signal(
        entity=entity("category", drift.category),
        cause="drifted",
        metric=drift.rate,
        before=round(drift.before * _PER_MILLION),
        after=round(drift.after * _PER_MILLION),
    )


def archived_looks(settings: Settings, since_ms: int) -> Iterator[tuple[list[str], Vectors]]:
    """The categories' vectors in the archived feature log since a moment: the last of each minute, in order of time."""
    import polars as pl

    from feature_repo.vector_reader import Vectors

    files = sorted(settings.feature_log_path.glob(files_of("category")))
    if not files:
        return
    moment = pl.col("event_timestamp").dt.epoch("ms")
    rows = (
        pl.scan_parquet(files)
        .select("category", "sequence", as_of=moment, sums=pl.col(vector_view("category")))
        .filter(pl.col("as_of") >= since_ms, pl.col("sums").list.len() == len(sum_names(settings.windows)))
        .with_columns(minute=pl.col("as_of") // MINUTE_MS)
        .sort("as_of", "sequence")
        .unique(["category", "minute"], keep="last", maintain_order=True)
        .collect()
    )
    for _, look in rows.group_by("minute", maintain_order=True):
        yield look["category"].to_list(), Vectors(np.array(look["sums"].to_list()), look["as_of"].to_numpy())


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
        except Exception:
            # What is only watched must not stop what is counted. The next look begins anew.
            log.exception("drift watch: this look failed")
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
