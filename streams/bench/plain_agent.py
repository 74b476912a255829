"""The same work as one would write it first: Faust agents with tables, and Feast's `push`. Run as a process.

Event by event: deduplicate, attribute a purchase to the last click, add up counts per entity and minute. Once a second
the windows of the entities that changed are summed and pushed to the same Feast views that our pipeline writes.

It is let off what would cost it more: it is one worker, so that entities needn't be repartitioned; a click that comes
after its purchase corrects nothing; after a crash its tables over-count; and what is late is not checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import faust
import pandas as pd
from feast import FeatureStore, FeatureView, PushSource
from feast.data_source import PushMode

from feature_repo.codec import vector_view
from feature_repo.repository import feature_store
from feature_repo.vectors import METRICS, split_entity, windows
from feature_repo.views import VECTOR_VIEWS
from infra.clock import SystemClock
from infra.settings import MINUTE_MS, Settings
from infra.stack import state
from infra.topics import Topics
from streams.normal_form import normal_form

PUSH_EVERY_S = 1.0
_SEARCHES, _IMPRESSIONS, _CLICKS, _PURCHASES, _UNITS, _REVENUE = range(len(METRICS))
Event = dict[str, Any]
Minutes = dict[str, list[int]]


def push_source(kind: str) -> str:
    """Name of the source by which vectors of `kind` are pushed."""
    return f"{vector_view(kind)}_push"


def store_with_push(settings: Settings) -> FeatureStore:
    """Our Feast store, its vector views fed by `push` as well."""
    store = feature_store(settings)
    for kind, view in VECTOR_VIEWS.items():
        source = PushSource(name=push_source(kind), batch_source=view.batch_source)
        pushed = FeatureView(
            name=view.name, entities=[store.get_entity(kind)], ttl=view.ttl, schema=view.schema, source=source
        )
        store.apply([source, pushed])
    return store


def make_app(settings: Settings, tell: Any = print) -> faust.App:
    """The app. `tell` is given `first MS` when the first event comes, and `pushed EVENTS MS` after each push."""
    app = faust.App(
        f"{settings.topic_prefix}plain-agent",
        broker=f"kafka://{settings.kafka_servers}",
        key_serializer="raw",
        value_serializer="json",
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=str(settings.faust_path / "plain-agent"),
    )
    topics = Topics.of(settings)
    clock = SystemClock()
    store = store_with_push(settings)
    seen = app.Table("seen", default=int)
    last_click = app.Table("last_click", default=list)
    counts = app.Table("counts", default=dict)
    changed: set[str] = set()
    done = 0

    def is_new(event: Event) -> bool:
        nonlocal done
        if not done:
            tell(f"first {clock.now_ms()}")
        done += 1
        if event["event_id"] in seen:
            return False
        seen[event["event_id"]] = event["event_time"]
        return True

    def add(event: Event, entities: list[str], amounts: dict[int, int]) -> None:
        minute = str(event["event_time"] // MINUTE_MS)
        for name in entities:
            minutes: Minutes = counts[name]
            sums = minutes.setdefault(minute, [0] * len(METRICS))
            for metric, amount in amounts.items():
                sums[metric] += amount
            counts[name] = minutes
        changed.update(entities)

    @app.agent(app.topic(topics.search.name))
    async def searches(events: AsyncIterator[Event]) -> None:
        async for event in events:
            if is_new(event):
                keyword = normal_form(event["query"])
                add(event, [f"keyword:{keyword}", f"category:{event['category']}"], {_SEARCHES: 1})

    @app.agent(app.topic(topics.impression.name))
    async def impressions(events: AsyncIterator[Event]) -> None:
        async for event in events:
            if is_new(event):
                entities = [f"item:{event['item']}", f"category:{event['category']}", *_matched(event)]
                add(event, entities, {_IMPRESSIONS: 1})

    @app.agent(app.topic(topics.click.name))
    async def clicks(events: AsyncIterator[Event]) -> None:
        async for event in events:
            if is_new(event):
                matched = _matched(event)
                add(event, [f"item:{event['item']}", f"category:{event['category']}", *matched], {_CLICKS: 1})
                place = f"{event['shopper']} {event['item']}"
                if not last_click[place] or event["event_time"] >= last_click[place][0]:
                    last_click[place] = [event["event_time"], matched]

    @app.agent(app.topic(topics.purchase.name))
    async def purchases(events: AsyncIterator[Event]) -> None:
        async for event in events:
            if is_new(event):
                entities = [f"item:{event['item']}", f"category:{event['category']}"]
                click = last_click[f"{event['shopper']} {event['item']}"]
                if click and 0 <= event["event_time"] - click[0] <= settings.attribution_window_ms:
                    entities += click[1]
                revenue = event["quantity"] * event["unit_price"]
                add(event, entities, {_PURCHASES: 1, _UNITS: event["quantity"], _REVENUE: revenue})

    @app.timer(PUSH_EVERY_S)
    async def push() -> None:
        counted, as_of = done, clock.now_ms()
        rows: dict[str, list[Event]] = defaultdict(list)
        for name in changed:
            kind, key = split_entity(name)
            sums = _window_sums(counts[name], as_of, settings)
            time = datetime.fromtimestamp(as_of / 1_000, UTC)
            rows[kind].append({kind: key, vector_view(kind): sums, "event_timestamp": time, "created": time})
        changed.clear()
        for kind, many in rows.items():
            store.push(push_source(kind), pd.DataFrame(many), to=PushMode.ONLINE)
        if rows:
            tell(f"pushed {counted} {clock.now_ms()}")

    return app


def _matched(event: Event) -> list[str]:
    """The entities that an event counts for through the keyword it was shown for."""
    keyword = normal_form(event["keyword"])
    entities = [f"keyword:{keyword}", f"pair:{event['item']}|{keyword}"]
    return entities if event.get("campaign") is None else [*entities, f"campaign:{event['campaign']}"]


def _window_sums(minutes: Minutes, as_of: int, settings: Settings) -> list[float]:
    sums: list[float] = []
    for window in windows(settings.windows):
        oldest = window.oldest_tile(as_of)
        inside = [tile for minute, tile in minutes.items() if window.tile(int(minute) * MINUTE_MS) >= oldest]
        sums += [float(sum(tile[metric] for tile in inside)) for metric in range(len(METRICS))]
    return sums


if __name__ == "__main__":
    app = make_app(state.settings(), lambda line: print(line, flush=True))
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()
