"""A ranker learnt from daily tables alone: what its features know, and what it is worth on days that it never saw."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from feature_repo.vectors import METRICS
from infra.clock import ManualClock
from infra.settings import DAY_MS, Settings, load
from infra.steps import silent
from scorers.data import daily
from scorers.data.check import check_folder
from scorers.data.reading import BadTable
from scorers.data.writing import write
from scorers.history import History
from scorers.keywords.table import is_public
from scorers.ranking import bundle
from scorers.ranking.features import Facts, Sums, feature_names, matrix
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.matching import Matcher
from scorers.training.command import source_of
from scorers.training.daily_keywords import daily_keyword_table
from scorers.training.daily_sums import SHOWN, daily_sums
from scorers.training.dataset import examples
from scorers.training.examination import Examination
from scorers.training.examples import CannotLearn
from scorers.training.measures import log_loss
from scorers.training.ranker import EventLog, train
from scorers.training.tables import DailyTables
from streams.canonical import CanonicalForms
from streams.simulator.examination import DECAY
from streams.simulator.states import write_states
from tests.market import UNTIL_MS, make_market, make_past
from tests.unit.scorers.letters import LetterEncoder

SETTINGS = load()
FIRST = date(2026, 3, 1)


# --- features as of a day's start --------------------------------------------------------------------------------


def random_counts(seed: int, rows: int = 400) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Shown and searched rows of twelve days."""
    rng = np.random.default_rng(seed)
    days = [FIRST + timedelta(days=int(day)) for day in rng.integers(0, 12, rows)]
    shown = pl.DataFrame(
        {
            "day": days,
            "item": rng.choice(["i1", "i2", "i3"], rows),
            "canonical": rng.choice(["boot", "lamp"], rows),
            "campaign": rng.choice(["c1", "c2", None], rows),
            "category": rng.choice(["shoes", "lights"], rows),
            **{name: rng.integers(0, 9, rows) for name in SHOWN},
        }
    )
    searched = shown.select("day", "canonical", "category", searches="impressions")
    return shown, searched


def held(sums: Sums, kind: str, window: str, metric: str) -> np.ndarray[Any, Any]:
    vectors: np.ndarray[Any, Any] = getattr(sums, kind)
    return vectors[:, ("24h", "7d").index(window) * len(METRICS) + METRICS.index(metric)]


KEYS = {
    "item": ["item"],
    "keyword": ["canonical"],
    "pair": ["item", "canonical"],
    "campaign": ["campaign"],
    "category": ["category"],
}


def test_sums_are_those_of_the_days_before() -> None:
    shown, searched = random_counts(1)
    rows = shown.unique(["day", "item", "canonical", "campaign", "category"])
    sums = daily_sums(rows, shown, searched, SETTINGS)
    for kind, key in KEYS.items():
        for window, days in (("24h", 1), ("7d", 7)):
            for metric, late in (("clicks", 0), ("revenue", 1), ("searches", 0)):
                counts = searched if metric == "searches" else shown
                expected = []
                for row in rows.iter_rows(named=True):
                    last = row["day"] - timedelta(days=1 + late)
                    among = counts.filter(pl.col("day").is_between(last - timedelta(days=days - 1), last))
                    for name in key:
                        counted = name in among.columns and row[name] is not None
                        among = among.filter(pl.col(name) == row[name]) if counted else among.clear()
                    expected.append(float(among.get_column(metric).sum()))
                np.testing.assert_array_equal(held(sums, kind, window, metric), expected, err_msg=f"{kind} {metric}")


@pytest.mark.parametrize("seed", range(5))
def test_no_feature_sees_its_own_day_nor_what_was_bought_on_it(seed: int) -> None:
    """Whatever is counted on a day and after it, and bought after the day before, changes nothing."""
    shown, searched = random_counts(seed)
    day = FIRST + timedelta(days=8)
    rows = shown.filter(pl.col("day") == day)
    later = shown.with_columns(pl.when(pl.col("day") >= day).then(99).otherwise(pl.col(SHOWN)).name.keep())
    yesterday = day - timedelta(days=1)
    later = later.with_columns(
        pl.when(pl.col("day") >= yesterday).then(99).otherwise(pl.col("purchases", "units", "revenue")).name.keep()
    )
    sought = searched.with_columns(searches=pl.when(pl.col("day") >= day).then(99).otherwise("searches"))
    known, planted = daily_sums(rows, shown, searched, SETTINGS), daily_sums(rows, later, sought, SETTINGS)
    for kind in KEYS:
        np.testing.assert_array_equal(getattr(known, kind), getattr(planted, kind))

    # The same test sees the leak when the features are those of a day later.
    tomorrow = rows.with_columns(pl.col("day").dt.offset_by("1d"))
    leaking, other = (daily_sums(tomorrow, *counts, SETTINGS) for counts in ((shown, searched), (later, sought)))
    assert all((getattr(leaking, kind) != getattr(other, kind)).any() for kind in KEYS)


def test_windows_shorter_than_a_day_alone_are_refused() -> None:
    shown, searched = random_counts(1)
    with pytest.raises(CannotLearn, match="setting windows: 10m,1h: daily tables need a window of a day"):
        daily_sums(shown, shown, searched, load(windows="10m,1h"))


# --- keywords ----------------------------------------------------------------------------------------------------


def test_keywords_that_too_few_typed_or_sellers_alone_are_not_shown() -> None:
    searched = pl.DataFrame(
        [(FIRST, "boots", "boot", "shoes", 40, 12), (FIRST, "ann lee", "ann lee", "?", 9, 2),
         (FIRST + timedelta(days=1), "boot", "boot", "shoes", 5, None)],
        {"day": pl.Date, "text": pl.String, "canonical": pl.String, "category": pl.String, "searches": pl.Int64,
         "shoppers": pl.Int64}, orient="row",
    )  # fmt: skip
    typed = pl.DataFrame(
        {
            "text": ["boots", "acme x9"],
            "canonical": ["boot", "acme x9"],
            "category": ["shoes"] * 2,
            "seller": ["s1", "s2"],
        }
    )
    listed = pl.DataFrame({"text": ["lamp"], "canonical": ["lamp"], "shoppers": [30]})
    table = {one.canonical: one for one in daily_keyword_table(searched, typed, listed, 10)}
    assert {name for name, one in table.items() if is_public(one)} == {"boot", "lamp"}
    boot = table["boot"]
    assert (boot.text, boot.volume, boot.volume_last_day, boot.sellers, boot.rivals) == ("boots", 45, 5, ["s1"], 1)
    assert boot.first_searched_at == (FIRST - date(1970, 1, 1)).days * DAY_MS
    assert not table["ann lee"].sellers
    cleared = {one.canonical: one for one in daily_keyword_table(searched, typed, listed, 0)}
    assert is_public(cleared["ann lee"])
    assert not is_public(cleared["acme x9"])


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days of a market, by day."""
    folder = tmp_path_factory.mktemp("market") / "tables"
    market = make_market(11, events=400_000, days=12.0, products=1_200, campaigns=400, keywords=6_000)
    make_past(market, folder / "events")
    write_states(market, folder / "events")
    write(folder, daily.tables(History(folder / "events"), SETTINGS))
    return folder


def test_single_impressions_in_the_same_schema_are_the_same(tables: Path, tmp_path: Path) -> None:
    rows = daily.impressions(History(tables / "events"), SETTINGS)
    write(tmp_path, {"campaign_history": rows, "products": pl.read_parquet(tables / "products.parquet")}, csv=True)
    by_day, single = (
        DailyTables(folder)
        .outcomes(*DailyTables(tables).span)
        .group_by("day", "item", "canonical", "campaign", "clicked", "purchased")
        .agg(pl.col("weight").sum())
        .sort(pl.all())
        for folder in (tables, tmp_path)
    )
    assert by_day.equals(single)
    assert by_day.filter("purchased").get_column("weight").sum() > 500


def test_a_row_for_each_place_tells_how_places_are_looked_at(tables: Path, tmp_path: Path) -> None:
    key = ["day", "campaign", "product_id", "keyword", "position"]
    single = daily.impressions(History(tables / "events"), SETTINGS)
    by_place = single.group_by(key).agg(pl.col("impressions", "clicks", "conversions", "purchases").sum())
    write(tmp_path, {"campaign_history": by_place, "products": pl.read_parquet(tables / "products.parquet")})
    assert not any(table.bad for table in check_folder(tmp_path, date.today()))
    exact, mean = (DailyTables(folder).examination(DailyTables(tables).span[1]).decay for folder in (tmp_path, tables))
    assert exact == pytest.approx(DECAY, abs=0.08)
    assert mean < exact


def test_what_cannot_be_used_is_named(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="holds no campaign_history"):
        _ = DailyTables(tmp_path).shown
    columns = ["day", "campaign", "product_id", "keyword", "impressions", "clicks", "purchases"]
    some = pl.read_parquet(tables / "campaign_history.parquet", columns=columns).head(50)
    write(tmp_path, {"products": pl.read_parquet(tables / "products.parquet"), "campaign_history": some})
    bare = DailyTables(tmp_path)
    assert bare.examination(bare.span[1]) == Examination(0.0)
    with pytest.raises(BadTable, match="say with --cleared"):
        bare.keywords(LetterEncoder(), SETTINGS, lambda done, total: None)
    cleared = DailyTables(tmp_path, cleared=True).keywords(LetterEncoder(), SETTINGS, lambda done, total: None)
    assert len(cleared.keywords) == some.filter(pl.col("campaign").is_not_null()).get_column("keyword").n_unique()
    matcher = Matcher(LetterEncoder(), KeywordCatalogue(cleared.keywords, cleared.vectors))
    with pytest.raises(CannotLearn, match="its 1 days leave none"):
        bare.training_set(matcher, bundle.Vocabulary([], [], {}), SETTINGS, silent())
    write(tmp_path, {"campaign_history": some.with_columns(clicks=pl.col("impressions") + (pl.int_range(50) == 6))})
    with pytest.raises(BadTable, match="row 7 cannot be used; `keypulse data check` says why"):
        _ = DailyTables(tmp_path).shown


def test_history_or_tables(tmp_path: Path) -> None:
    assert source_of(tmp_path, None, False) == EventLog(History(tmp_path))
    assert source_of(None, tmp_path, True) == DailyTables(tmp_path, cleared=True)
    forms = CanonicalForms("v1")
    assert source_of(tmp_path, None, False, forms).canonical == forms
    assert source_of(None, tmp_path, False, forms).canonical == forms
    for both in (None, tmp_path):
        with pytest.raises(CannotLearn, match=r"give --history, .* or --tables, .* and not both"):
            source_of(both, both, False)


# --- the whole way -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tables: Path) -> Settings:
    return load(home=tables.parent / "home", bundle_path=tables.parent / "home" / "bundle")


@pytest.fixture(scope="module")
def trained(tables: Path, settings: Settings) -> bundle.Bundle:
    train(DailyTables(tables), settings, ManualClock(UNTIL_MS), silent(), tables.parent / "reports")
    return bundle.load(settings.bundle_path, settings)


@pytest.mark.slow
def test_it_beats_rates_and_popularity_on_held_out_days(
    trained: bundle.Bundle, tables: Path, settings: Settings
) -> None:
    source, manifest = DailyTables(tables), trained.manifest
    assert set(manifest.newest_calibration) == {"click"}
    keywords, vectors = trained.keywords()
    matcher = Matcher(trained.encoder(), KeywordCatalogue(keywords, vectors))
    held_out = date(1970, 1, 1) + timedelta(milliseconds=manifest.trained_until)
    rows = source.outcomes(held_out, source.span[1])
    features = source.features(rows, matcher, manifest.vocabulary, settings, silent())
    assert manifest.examination == pytest.approx(DECAY, abs=0.12)
    looked, everything = Examination(manifest.examination), np.ones(len(rows), np.bool_)
    clicks = examples(features, rows, "click", everything, looked)
    predicted = clicks.examined * trained.models.predict(features)[0]
    rate = np.full(len(rows), manifest.metrics["click_rate"])
    assert log_loss(clicks, predicted) < log_loss(clicks, rate) - 0.005
    assert clicks.rate / np.average(predicted, weights=clicks.weights) == pytest.approx(1, abs=0.1)

    volume = {one.canonical: one.volume for one in keywords}
    popularity = rows.get_column("canonical").replace_strict(volume, default=0, return_dtype=pl.Float64)
    rates = {name: features[:, manifest.features.index(f"{name}_ctr_7d")] for name in ("category", "keyword", "pair")}
    click, _ = trained.models.predict(features)
    ours, *theirs = (
        roc_auc_score(clicks.labels, clicks.examined * scores, sample_weight=clicks.weights)
        for scores in (click, popularity.to_numpy(), *rates.values())
    )
    assert ours > max(theirs) + 0.01
    bought = examples(features, rows, "purchase", clicks.labels, looked)
    rate = np.full(len(bought), manifest.metrics["purchase_rate"])
    assert log_loss(bought, trained.models.predict(bought.matrix)[1]) < log_loss(bought, rate)


@pytest.mark.slow
def test_a_worker_with_more_windows_uses_the_bundles_alone(trained: bundle.Bundle, settings: Settings) -> None:
    assert trained.manifest.windows == ["24h", "7d"]
    wide = settings.model_copy(update={"windows": ("10m", "1h", "24h", "7d", "30d")})
    loaded = bundle.load(settings.bundle_path, wide)
    rng = np.random.default_rng(1)
    full = [rng.integers(0, 50, (3, 5 * len(METRICS))).astype(np.float64) for _ in range(5)]
    of_days = [sums[:, 2 * len(METRICS) : 4 * len(METRICS)] for sums in full]
    facts = Facts(*(np.ones(3) for _ in Facts.__dataclass_fields__))
    there = matrix(Sums(*full), facts, wide, loaded.manifest.windows)
    here = matrix(Sums(*of_days), facts, settings.model_copy(update={"windows": ("24h", "7d")}))
    np.testing.assert_array_equal(there, here)
    assert loaded.manifest.features == list(feature_names(("24h", "7d")))
    with pytest.raises(bundle.BundleRefused, match="setting windows: 10m,24h, the bundle was trained on 24h,7d"):
        bundle.load(settings.bundle_path, settings.model_copy(update={"windows": ("10m", "24h")}))


@pytest.mark.slow
def test_its_bundle_holds_what_a_worker_needs(trained: bundle.Bundle) -> None:
    keywords, vectors = trained.keywords()
    assert len(keywords) == len(vectors) > 500
    assert 0.2 < np.mean([is_public(one) for one in keywords]) < 1
    assert len(trained.pairs()) > 500
    assert msgspec.json.decode((trained.folder / "manifest.json").read_bytes())["history_days"] == 13
