"""What P(shown) rests on is found in the auctions of a log."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from infra.settings import HOUR_MS, load
from scorers.history import History
from scorers.ranking.impression_share import ImpressionShare, terms
from scorers.training.examination import Examination
from scorers.training.impression_share import USUAL_PAGES, chosen_rows, fitted, vacancies
from streams.contracts.messages import CampaignKeyword, CampaignState, ProductState

SETTINGS = load(sponsored_slots=2)
T = 1_700_000_000_000


def log(folder: Path, pages: list[tuple[str, int, list[tuple[int, str | None]]]]) -> History:
    """A history of pages: what was searched, when (hours), and of the item on each place the campaign, if any."""
    searches = [(f"s{n}", T + hour * HOUR_MS, query) for n, (query, hour, _) in enumerate(pages)]
    impressions = [
        (f"i{n}-{place}", f"s{n}", T + hour * HOUR_MS, query, place, campaign)
        for n, (query, hour, places) in enumerate(pages)
        for place, campaign in places
    ]
    pl.DataFrame(searches, schema=["search_id", "event_time", "query"], orient="row").with_columns(
        event_id="search_id", shopper=pl.lit("u"), category=pl.lit("lamps")
    ).write_parquet(folder / "search.parquet")
    columns = ["event_id", "search_id", "event_time", "keyword", "position", "campaign"]
    pl.DataFrame(impressions, schema=columns, orient="row").with_columns(
        item=pl.lit("lamp"), category=pl.lit("lamps"), shuffled=pl.lit(False)
    ).write_parquet(folder / "impression.parquet")
    return History(folder)


def write_states(folder: Path, *campaigns: CampaignState) -> None:
    product = ProductState(schema_version=1, item="lamp", seller="s", title="lamp", category="lamps", updated_at=T)
    (folder / "products.jsonl").write_bytes(msgspec.json.encode(product))
    (folder / "campaigns.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, campaigns)))


def campaign(name: str, *texts: str, **fields: object) -> CampaignState:
    keywords = [CampaignKeyword(text=text, bid=90) for text in texts]
    known = {"starts_at": T, "updated_at": T} | fields
    return CampaignState(schema_version=1, campaign=name, seller="s", items=["lamp"], keywords=keywords, **known)


def test_what_was_chosen_is_counted_while_it_ran(tmp_path: Path) -> None:
    seen = [(1, "c1"), (2, None)]
    history = log(
        tmp_path,
        [
            ("desk lamp", 0, [(1, "c0")]),  # c1 had not begun
            ("desk lamp", 1, seen),
            ("desk lamp", 2, [(4, "c1")]),
            ("lamp desk", 3, [(3, None)]),  # the same canonical form
            ("night lamp", 4, seen),  # c1 did not choose it
            ("desk lamp", 9, [(2, None)]),  # c1 was over
        ],
    )
    write_states(
        tmp_path,
        campaign("c1", "desk lamp", "red lamp", starts_at=T + HOUR_MS, ends_at=T + 5 * HOUR_MS),
        campaign("c2", "desk lamp", status="paused"),
        campaign("c3", "desk lamp", starts_at=T + 99 * HOUR_MS),
    )
    rows = chosen_rows(history, T, T + 10 * HOUR_MS, Examination(1.0), SETTINGS)
    (row,) = rows.iter_rows(named=True)
    assert (row["campaign"], row["item"], row["canonical"]) == ("c1", "lamp", "desk lamp")
    assert (row["pages"], row["offer"]) == (3, 1.0)
    assert row["shown"] == pytest.approx(1 + 1 / 4)


def test_places_that_stay_vacant_are_counted_by_keyword(tmp_path: Path) -> None:
    full, half, none = [(1, "c1"), (4, "c2")], [(1, "c1"), (2, None)], [(2, None)]
    history = log(tmp_path, [("desk lamp", 0, full)] * 60 + [("night lamp", 1, half)] * 30 + [("oil", 2, none)] * 30)
    found = dict(vacancies(history, T + 10 * HOUR_MS, SETTINGS).iter_rows())
    usual = (30 + 60) / 240
    drawn = 2 * USUAL_PAGES
    assert found["desk lamp"] == pytest.approx((0 + drawn * usual) / (120 + drawn) / usual)
    assert found["oil"] == pytest.approx((60 + drawn * usual) / (60 + drawn) / usual)
    assert found["desk lamp"] < 1 < found["lamp night"] < found["oil"]
    assert vacancies(history, T, SETTINGS).is_empty()


def test_where_no_place_is_ever_vacant_nothing_is_known(tmp_path: Path) -> None:
    crowded = [(1, "c1"), (4, "c2"), (7, "c3")]
    assert vacancies(log(tmp_path, [("desk lamp", 0, crowded)] * 9), T + HOUR_MS, SETTINGS).is_empty()


def test_the_weights_behind_a_log_are_recovered() -> None:
    true = ImpressionShare(
        offer=1.2, relevance=0.8, contradicted=-1.5, words=0.9, unseen=-0.7, vacancy=0.9, rivals=-0.6, intercept=-1.9
    )
    rng = np.random.default_rng(5)
    n = 4_000
    columns = terms(
        rng.lognormal(0, 0.5, n),
        rng.uniform(0.1, 1, n),
        rng.integers(0, 3, n).astype(float),
        rng.integers(1, 7, n).astype(float),
        rng.poisson(1, n).astype(float),
        rng.lognormal(0, 0.6, n),
        rng.integers(0, 20, n).astype(float),
        SETTINGS,
    )
    pages = rng.integers(1, 300, n)
    found = fitted(columns, rng.binomial(pages, true.probability(columns)).astype(float), pages)
    for name in ImpressionShare.__struct_fields__:
        assert getattr(found, name) == pytest.approx(getattr(true, name), abs=0.05), name
