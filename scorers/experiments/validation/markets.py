"""The whole loop on simulated markets: does the estimate hold the truth, and is that what all sellers would gain?

The truth of an experiment on a market is the expected difference between treated and untreated sellers, over random
assignments, in closed form from the auction. The effect of treating all is another figure: sellers bid against each
other, so that treated ones take auctions from the untreated.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from infra.settings import DAY_MS, MINUTE_MS, Settings
from scorers.experiments.counting import count_history
from scorers.experiments.metrics import METRICS
from scorers.experiments.moments import Floats, Moments
from scorers.experiments.plan import Plan, parse
from scorers.experiments.tables import Tables, empty
from scorers.experiments.units import COLUMNS, exposed, moments, unit_sums
from scorers.experiments.validation.lines import Agreement, Line, Result, Shown
from scorers.experiments.validation.vectorised import complier_covers, effects
from scorers.experiments.validation.world import WINDOW_DAYS, Mask, World, make_world, outcomes
from streams.contracts.events import EventName
from streams.simulator.columns import Columns, Numbering, columns, take
from streams.simulator.market import Market
from streams.simulator.pages import Pages
from streams.simulator.tables import Tables as EventTables
from streams.simulator.truth import campaign_id

LEVEL = 0.05
SEARCHES = 60_000
MARKETS = 240
"""Fast ones, at full size."""
WORLDS = 8
_PIPELINE_SEARCHES = 8_000
_ADOPTIONS = 10
UPTAKE = (0.05, 0.5)
"""Share of untreated and treated sellers who use recommended keywords."""
_START_MS = 1_924_992_000_000  # 2031-01-01, and so in whole minutes
_BEGINS_MS = _START_MS + 8 * DAY_MS
_PLAN = f"""
name: market
start: 2031-01-09
weeks: 1
window_days: {WINDOW_DAYS}
effect: {{scale: relative, size: 0.1}}
metrics: {{primary: purchases_per_seller, secondary: []}}
cuped: false
arms:
  - {{name: control, share: 0.5, shows: nothing}}
  - {{name: suggestions, share: 0.5, shows: suggestions}}
"""


@dataclass(frozen=True)
class Truth:
    """Of one market: expectations over random assignments and adoptions."""

    purchases: float
    """Per seller, treated less untreated, half of them treated."""
    rate: float
    """The same of campaigns with a purchase."""
    all_treated: float
    """Per seller, all treated less none."""
    by_shelf: float
    """Per seller, treated less untreated, when whole shelves are assigned."""


def markets(rng: np.random.Generator, replicates: int, _: int) -> Iterator[Result]:
    """Coverage on fast markets; what the estimate is to the effect of treating all; the real pipeline, once."""
    settings = Settings.model_construct()
    plan = parse(_PLAN, "the market's plan")
    fast = min(MARKETS, max(16, replicates // 40))
    worlds = min(WORLDS, fast // 8)
    seeds = rng.integers(0, 2**31, worlds + 1).tolist()
    yield from pipeline(rng, plan, seeds.pop(), settings)
    covered = dict.fromkeys(("purchases_per_seller", "purchase_rate", "complier effect"), 0)
    truths: list[Truth] = []
    sales = np.zeros(2)
    for seed in seeds:
        world = make_world(seed, SEARCHES, settings.attribution_window_ms, _START_MS)
        truth = true_effects(rng, world, assignments=2 * fast // worlds)
        truths.append(truth)
        for replicate in range(fast // worlds):
            treated = _half(rng, len(world.sellers))
            users = _users(rng, treated)
            counted = outcomes(world, *world.pages(users, seed + 1 + replicate))
            control, treatment = arms(plan, world, treated, users, counted)
            for name, value in (("purchases_per_seller", truth.purchases), ("purchase_rate", truth.rate)):
                covered[name] += int(effects(control, treatment, METRICS[name], LEVEL).covers(value, "absolute"))
            of_use = truth.purchases / (UPTAKE[1] - UPTAKE[0])
            held = complier_covers(control, treatment, METRICS["purchases_per_seller"], of_use, LEVEL)
            covered["complier effect"] += int(held)
        for paired in range(max(2, fast // worlds // 4)):
            for place, share in enumerate(UPTAKE):
                pages = world.pages(rng.random(len(world.sellers)) < share, seed + fast + 1 + paired)[1]
                sales[place] += len(pages.purchases.item)
    total = fast // worlds * worlds
    note = f"{worlds} markets of {SEARCHES:,} searches, {fast // worlds} assignments each"
    for name, hits in covered.items():
        yield Line(f"whole loop, coverage of the true {name}", "at least", 1 - LEVEL, hits, total, note)
    yield from _against_all(truths, sales)


def _against_all(truths: list[Truth], sales: Floats) -> Iterator[Shown]:
    """What an experiment says over what treating all would bring."""
    effect = sum(truth.all_treated for truth in truths)
    assigned = {
        "sellers": [truth.purchases for truth in truths],
        "whole shelves": [truth.by_shelf for truth in truths],
    }
    for unit, values in assigned.items():
        name = f"estimate / effect of treating all, assigning {unit}"
        yield Shown(name, sum(values) / effect, "of sponsored purchases; 1 would be unbiased")
    yield Shown(
        "all sales, organic ones too, when all are treated instead of none",
        float(sales[1] / sales[0] - 1),
        "relative; sponsored sales displace organic ones",
    )


def true_effects(rng: np.random.Generator, world: World, assignments: int) -> Truth:
    """The expectations by averaging the closed form over so many assignments.

    What campaigns sell when nobody is treated is taken off: its mean difference is 0, and the noise of an assignment is
    mostly its.
    """
    everybody = np.ones(len(world.sellers), dtype=np.bool_)
    untreated, offered = (
        np.mean([world.expected(_users(rng, who)) for _ in range(_ADOPTIONS)], axis=0)
        for who in (~everybody, everybody)
    )
    shelves = np.unique(world.market.campaigns.shelf)
    parts = []
    for _ in range(assignments):
        treated = _half(rng, len(world.sellers))
        expected = world.expected(_users(rng, treated))
        purchases = _contrast(world, treated, expected - untreated, per_campaign=False)
        rate = _contrast(world, treated, np.exp(-untreated) - np.exp(-expected), per_campaign=True)
        chosen = np.isin(world.market.campaigns.shelf, rng.permutation(shelves)[: len(shelves) // 2])
        of_shelf = np.zeros(len(world.sellers), dtype=np.bool_)
        of_shelf[world.seller_of[chosen]] = True  # a seller is of one shelf
        gained = world.expected(_users(rng, of_shelf)) - untreated
        parts.append((purchases, rate, _contrast(world, of_shelf, gained, per_campaign=False)))
    purchases, rate, by_shelf = (float(mean) for mean in np.mean(parts, axis=0))
    return Truth(purchases, rate, float((offered - untreated).sum() / len(world.sellers)), by_shelf)


def arms(plan: Plan, world: World, treated: Mask, users: Mask, counted: pl.DataFrame) -> tuple[Moments, Moments]:
    """Moments of control and treatment, by way of the experiment's tables."""
    tables = as_tables(world, treated, users, counted.with_columns(_named("campaign", world)))
    sums = unit_sums(plan, tables, exposed(plan, tables, 2 * _BEGINS_MS))
    return moments(sums, "control"), moments(sums, "suggestions")


def as_tables(world: World, treated: Mask, users: Mask, counted: pl.DataFrame) -> Tables:
    """The experiment's tables: all sellers are exposed at once, users adopt a minute later."""
    campaigns = world.market.campaigns
    frame = pl.DataFrame(
        {
            "campaign": [campaign_id(number) for number in range(len(campaigns))],
            "unit": campaigns.seller,
            "category": [f"shelf-{place}" for place in campaigns.shelf.tolist()],
            "created_at": campaigns.starts,
            "arm": np.where(treated[world.seller_of], "suggestions", "control"),
            "exposed_at": np.full(len(campaigns), world.begins),
            "keywords": world.keywords,
            "uses": users[world.seller_of],
        },
        schema_overrides={"keywords": pl.List(pl.String)},
    )
    adopted = frame.filter("uses").explode("keywords").drop_nulls("keywords")
    return Tables.checked(
        exposures=frame,
        campaigns=frame,
        outcomes=counted,
        adoptions=adopted.select("campaign", keyword="keywords", at=pl.col("exposed_at") + MINUTE_MS),
        feedback=empty("feedback"),
    )


def pipeline(rng: np.random.Generator, plan: Plan, seed: int, settings: Settings) -> Iterator[Agreement]:
    """The events of one market through the real shopper stage, late and duplicate ones too, against the fast count."""
    world = make_world(seed, _PIPELINE_SEARCHES, settings.attribution_window_ms, _START_MS)
    treated = _half(rng, len(world.sellers))
    users = _users(rng, treated)
    market, pages = world.pages(users, seed)
    with tempfile.TemporaryDirectory() as folder:
        write_events(rng, market, pages, Path(folder), settings)
        staged = count_history(Path(folder), settings)
    fast = outcomes(world, market, pages).with_columns(_named("campaign", world))
    both = staged.join(fast, on=["campaign", "at"], how="full", suffix="_fast", coalesce=True).fill_null(0)
    names = ("clicks", "purchases", "revenue")
    apart = sum(int((both[name] - both[f"{name}_fast"]).abs().sum()) for name in names)
    yield Agreement("real pipeline against the fast count, each minute", 0, float(apart), f"{len(both):,} rows")
    rows = []
    for counted in (staged, fast):
        tables = as_tables(world, treated, users, counted)
        sums = unit_sums(plan, tables, exposed(plan, tables, 2 * _BEGINS_MS)).sort("unit")
        rows.append(sums.select(COLUMNS).to_numpy())
    worst = float(np.abs(rows[0] - rows[1]).max())
    yield Agreement("real pipeline against the fast count, each seller", 0, worst, f"{len(rows[0])} sellers, all sums")


def write_events(rng: np.random.Generator, market: Market, pages: Pages, folder: Path, settings: Settings) -> None:
    """The pages' events as a history folder: one in twenty late within the horizon, one in a hundred twice."""
    made = EventTables(market, "market", settings.currency)
    for name, events in columns(market, pages, Numbering()).items():
        pq.write_table(made.table(name, _untidy(rng, events, settings.late_horizon_ms)), folder / _file(name))


def _untidy(rng: np.random.Generator, events: Columns, horizon_ms: int) -> Columns:
    """The events in an order of arrival, some again."""
    count = len(events["event_time"])
    late = (rng.random(count) < 0.05) * rng.integers(0, horizon_ms // 2, count)
    again = np.flatnonzero(rng.random(count) < 0.01)
    rows = np.concatenate([np.arange(count), again])
    arrival = (events["event_time"] + late)[rows]
    arrival[count:] += 60_000
    return take(events, rows[np.argsort(arrival, kind="stable")])


def _file(name: EventName) -> str:
    return f"{name}.parquet"


def _named(column: str, world: World) -> pl.Expr:
    ids = [campaign_id(number) for number in range(len(world.market.campaigns))]
    return pl.col(column).replace_strict(list(range(len(ids))), ids, return_dtype=pl.String)


def _half(rng: np.random.Generator, sellers: int) -> Mask:
    return np.asarray(rng.permutation(sellers) < sellers // 2)


def _users(rng: np.random.Generator, treated: Mask) -> Mask:
    return np.asarray(rng.random(len(treated)) < np.where(treated, UPTAKE[1], UPTAKE[0]))


def _contrast(world: World, treated: Mask, of_campaign: Floats, per_campaign: bool) -> float:
    """Treated less untreated: means per seller, or per campaign."""
    chosen = treated[world.seller_of]
    sums = of_campaign[chosen].sum(), of_campaign[~chosen].sum()
    counts = (chosen.sum(), (~chosen).sum()) if per_campaign else (treated.sum(), (~treated).sum())
    return float(sums[0] / counts[0] - sums[1] / counts[1])
