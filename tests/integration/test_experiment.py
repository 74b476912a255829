"""A small experiment through the whole pipeline: events, stages' counts, exposures, collection, report."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from infra import kafka
from infra.settings import DAY_MS, HOUR_MS, MINUTE_MS, Settings
from infra.topics import Topics
from scorers.experiments.analysis import analyse
from scorers.experiments.assignment import assign
from scorers.experiments.collection import GROUP, collect
from scorers.experiments.counting import deltas
from scorers.experiments.frozen import freeze, load
from scorers.experiments.plan import parse
from scorers.experiments.report.content import content
from scorers.experiments.report.markdown import markdown
from scorers.experiments.status import status_of
from scorers.experiments.units import exposed, unit_sums
from scorers.experiments.validation.markets import as_tables, write_events
from scorers.experiments.validation.world import World, make_world, outcomes
from streams.contracts.messages import CampaignKeyword, CampaignState, ExposedKeyword, Exposure
from streams.exactly_once import Outgoing
from streams.log_reader import log_reader
from streams.normal_form import normal_form
from streams.publisher import KafkaPublisher
from streams.simulator.states import campaign_states
from streams.simulator.truth import campaign_id

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BY_KEY = -1
"""Partition by the key's murmur2."""
START_MS = 1_924_992_000_000
PLAN = """
name: market
start: 2031-01-09
weeks: 1
window_days: 7
effect: {scale: relative, size: 0.2}
metrics: {primary: purchases_per_campaign}
margins: {campaigns_created: 0.5}
baseline: {mean: 1, deviation: 2}
arms:
  - {name: control, share: 0.5, shows: nothing}
  - {name: suggestions, share: 0.5, shows: suggestions}
"""


def exposures(world: World, checksum: str, arm_of: dict[str, str], topic: str) -> list[Outgoing]:
    """The first list of every campaign, computed at the start, whatever its arm."""
    sent = []
    for number, seller in enumerate(world.market.campaigns.seller):
        keywords = [normal_form(text) for text in world.keywords[number]]
        one = Exposure(
            schema_version=1,
            experiment="market",
            plan_checksum=checksum,
            unit=seller,
            arm=arm_of[seller],
            campaign=campaign_id(number),
            exposed_at=world.begins,
            model_version="test",
            published=arm_of[seller] == "suggestions",
            keywords=[
                ExposedKeyword(canonical=text, rank=rank, source="dense") for rank, text in enumerate(keywords, start=1)
            ],
        )
        sent.append(Outgoing(topic, BY_KEY, one.campaign.encode(), msgspec.json.encode(one)))
    return sent


def adopting(world: World, states: list[CampaignState], users: np.ndarray) -> list[CampaignState]:
    """The campaigns of sellers who take up what was recommended, a minute later."""
    return [
        msgspec.structs.replace(
            one,
            keywords=[*one.keywords, *(CampaignKeyword(text=text) for text in world.keywords[number])],
            updated_at=world.begins + MINUTE_MS,
        )
        for number, one in enumerate(states)
        if users[world.seller_of[number]]
    ]


def test_a_small_experiment_from_events_to_a_report(integration_settings: Settings, tmp_path: Path) -> None:
    settings = integration_settings
    topics = Topics.of(settings)
    kafka.create_topics(settings)
    source = tmp_path / "market.yaml"
    source.write_text(PLAN)
    plan = parse(PLAN, "market.yaml")
    freeze(source, plan, tmp_path / "experiments", START_MS)
    one = load(tmp_path / "experiments", "market")

    world = make_world(11, 12_000, settings.attribution_window_ms, START_MS)
    arm_of = {seller: assign(plan, seller) or "" for seller in world.sellers}
    treated = np.array([arm_of[seller] == "suggestions" for seller in world.sellers])
    users = np.random.default_rng(1).random(len(treated)) < np.where(treated, 0.6, 0.1)
    market, pages = world.pages(users, 1)
    history = tmp_path / "history"
    history.mkdir()
    write_events(np.random.default_rng(2), market, pages, history, settings)
    states = campaign_states(market)
    publisher = KafkaPublisher(kafka.producer(settings))
    publisher.publish(exposures(world, one.frozen.checksum, arm_of, topics.exposures.name))
    publisher.publish(
        [
            Outgoing(topics.campaign_state.name, BY_KEY, state.campaign.encode(), msgspec.json.encode(state))
            for state in [*states, *adopting(world, states, users)]
        ]
    )
    counted = list(deltas(history, settings))
    half = len(counted) // 2
    publisher.publish(counted[:half])
    with log_reader(settings, GROUP) as reader:
        collect(one, settings, reader)
    publisher.publish(counted[half - 20 :])  # a restarted owner publishes its outbox again
    with log_reader(settings, GROUP) as reader:
        collected = collect(one, settings, reader)

    ids = {number: campaign_id(number) for number in range(len(states))}
    fast = outcomes(world, market, pages).with_columns(pl.col("campaign").replace_strict(ids, return_dtype=pl.String))
    expected = as_tables(world, treated, users, fast)
    end = world.begins + 30 * DAY_MS
    sums = [unit_sums(plan, tables, exposed(plan, tables, end)).sort("unit") for tables in (collected, expected)]
    assert sums[0].equals(sums[1])
    assert sums[0].get_column("used").sum() > 20

    found = analyse(plan, collected, end, HOUR_MS)
    text = markdown(content(one, found))
    assert "intention to treat" in text
    assert found.comparisons[0].complier is not None
    assert status_of(one, collected, end, HOUR_MS).alarms == []
