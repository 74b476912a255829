"""The market's figures lie where published ones of e-commerce lie. docs/simulator.md cites them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from streams.simulator.examination import examination
from tests.market import Past


@pytest.fixture(scope="module")
def impressions(large_past: Past) -> pl.DataFrame:
    """Each impression once, with whether it was clicked."""
    clicked = large_past.read("click").unique("event_id").select("search_id", "item").with_columns(clicked=True)
    shown = large_past.read("impression").unique("event_id")
    return shown.join(clicked, on=["search_id", "item"], how="left").with_columns(pl.col("clicked").fill_null(False))


def test_click_through_rate(impressions: pl.DataFrame) -> None:
    """From 4 %, of all logged results (Ali-CCP), to a little above the 8 % of ads in first place: only results in view
    are logged here."""
    assert 0.04 < impressions["clicked"].mean() < 0.09


def test_a_search_in_three_or_so_brings_a_click(large_past: Past) -> None:
    searches = large_past.read("search").unique("event_id")
    clicked = searches.join(large_past.read("click"), on="search_id", how="semi").height
    assert 0.2 < clicked / searches.height < 0.45


def test_conversion_of_clicks(large_past: Past) -> None:
    """Between the 1-3 % of shops of their own and the 10-15 % of a large marketplace."""
    clicks, purchases = (large_past.read(name)["event_id"].n_unique() for name in ("click", "purchase"))
    assert 0.03 < purchases / clicks < 0.15


def test_few_keywords_hold_much_of_the_volume_and_many_hold_little(large_past: Past) -> None:
    """Head (a few hundred) 30-40 %, and a third of the volume in texts that are seen seldom."""
    count = large_past.read("search")["query"].value_counts()["count"].sort(descending=True).to_numpy()
    share = count / count.sum()
    assert 0.25 < share[:300].sum() < 0.5
    assert share[2_000:].sum() > 0.1
    assert (count <= 3).mean() > 0.3


def test_clicks_fall_with_the_position_as_a_power_law(impressions: pl.DataFrame) -> None:
    """On eBay the first result draws some eight times the clicks of the fifteenth: an exponent near 0.77."""
    assert 6 < 1 / examination(np.array([15]))[0] < 9
    organic = impressions.filter(pl.col("campaign").is_null() & ~pl.col("shuffled"))
    rate = organic.group_by("position").agg(pl.col("clicked").mean()).sort("position")["clicked"].to_numpy()
    assert 2 < rate[1] / rate[7] < 6  # position 1 is organic only where no ad was bought


def test_shuffled_pages_show_the_position_bias_alone(impressions: pl.DataFrame) -> None:
    shuffled = impressions.filter("shuffled")
    top = shuffled.filter(pl.col("position") <= 2)["clicked"]
    bottom = shuffled.filter(pl.col("position").is_between(5, 8))["clicked"]
    expected = examination(np.array([1, 2])).mean() / examination(np.array([5, 6])).mean()
    assert 0.5 * expected < top.mean() / bottom.mean() < 2 * expected


def test_days_have_nights_and_evenings(large_past: Past) -> None:
    hour = pl.from_epoch("event_time", time_unit="ms").dt.hour()
    per_hour = large_past.read("search").group_by(hour).len().sort("event_time")["len"].to_numpy()
    assert per_hour[18:22].mean() > 4 * per_hour[2:5].mean()


def test_a_part_of_the_results_is_sponsored(impressions: pl.DataFrame) -> None:
    assert 0.1 < impressions["campaign"].is_not_null().mean() < 0.35
