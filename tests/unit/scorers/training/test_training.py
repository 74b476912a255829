"""From history to a bundle to its judgement, on a small market; and the parts of that way."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from feature_repo.archive import FeatureArchive
from feature_repo.memory import MemoryStore
from infra.clock import ManualClock
from infra.settings import DAY_MS, HOUR_MS, Settings, load
from infra.steps import silent
from scorers.evaluation.evaluate import NothingToJudge, evaluate
from scorers.evaluation.gains import Gains
from scorers.evaluation.heldout import Leak, check_nothing_leaked, held_out, held_out_campaigns
from scorers.evaluation.judgement import MEASURES
from scorers.evaluation.measures import ndcg, reciprocal_rank
from scorers.evaluation.report import write_report
from scorers.history import History, attributed, pair_counts
from scorers.keywords.embedded import EmbeddedKeywords, embedded_keywords
from scorers.ranking import bundle
from scorers.ranking.impression_share import ImpressionShare
from scorers.registry.promotion import promote
from scorers.registry.store import Registry, Training
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.matching import Matcher
from scorers.training.command import card
from scorers.training.dataset import join_vectors, label_rows
from scorers.training.examination import Examination
from scorers.training.examples import CannotLearn, Examples
from scorers.training.ranker import EventLog, TrainingSet, calibrations, moved, train
from streams.attribution import Attribution, Click, Purchase
from streams.backfill.run import SOURCE, Backfill
from streams.canonical import CanonicalForms, forms_file, write_forms
from streams.exactly_once import MemoryCheckpoints
from streams.folding import fold
from streams.history import BadHistory
from streams.simulator.examination import DECAY
from streams.simulator.states import write_states
from streams.simulator.truth import write_truth
from tests.market import UNTIL_MS, make_market, make_past
from tests.unit.scorers.letters import LetterEncoder


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history folder of 8 days, with states and truth: enough campaigns are held out to tell the orders apart."""
    folder = tmp_path_factory.mktemp("market") / "history"
    made = make_market(11, events=500_000, days=8.0, products=1_500, campaigns=600, keywords=6_000)
    make_past(made, folder)
    write_states(made, folder)
    write_truth(made, folder)
    return folder


@pytest.fixture(scope="module")
def settings(market: Path) -> Settings:
    """With the market's features archived."""
    made = load(
        home=market.parent / "home", bundle_path=market.parent / "home" / "bundle", attribution_window_ms=6 * HOUR_MS
    )
    archive = FeatureArchive(made.feature_log_path, SOURCE)
    Backfill(made, MemoryCheckpoints(), MemoryStore(made), archive).run(market)
    return made


@pytest.fixture(scope="module")
def trained(market: Path, settings: Settings) -> bundle.Manifest:
    manifest, _ = train(EventLog(History(market)), settings, ManualClock(UNTIL_MS), silent(), market.parent / "reports")
    return manifest


@pytest.fixture(scope="module")
def report(trained: bundle.Manifest, market: Path, settings: Settings) -> dict[str, Any]:
    return evaluate(market, settings, silent())


# --- history -----------------------------------------------------------------------------------------------------


def events(rows: list[tuple[Any, ...]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=list(columns), orient="row")


def test_attribution_equals_that_of_the_streams() -> None:
    rng = random.Random(5)
    window = 50
    clicks = [(f"c{n}", rng.randrange(200), f"u{rng.randrange(3)}", f"i{rng.randrange(2)}") for n in range(120)]
    buys = [(f"p{n}", rng.randrange(200), f"u{rng.randrange(3)}", f"i{rng.randrange(2)}") for n in range(40)]
    live = Attribution(window)
    for name, time, shopper, item in clicks:
        live.add_click((shopper, item), Click(time, name, "k", None))
    expected = []
    for name, time, shopper, item in buys:
        click = live.add_purchase((shopper, item), Purchase(time, name, 1, 1))
        expected += [(click.event_id, time)] if click else []
    columns = ("event_id", "event_time", "shopper", "item")
    found = attributed(events(clicks, *columns), events(buys, *columns), window)
    assert sorted(found.select("event_id", "purchased_at").iter_rows()) == sorted(expected)


def test_pairs_are_counted_with_and_without_purchases() -> None:
    clicks = events([("i1", "boot"), ("i1", "boot"), ("i2", "lamp")], "item", "canonical")
    assert pair_counts(clicks, clicks.head(1)).rows() == [("i1", "boot", 2, 1), ("i2", "lamp", 1, 0)]


def test_a_history_gives_each_event_once(market: Path) -> None:
    history = History(market)
    assert len(pl.read_parquet(market / "click.parquet")) > len(history.clicks)
    assert history.clicks.get_column("event_id").is_unique().all()
    assert 7.5 < history.days < 8.5


def test_an_unusable_history_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match=r"impression\.parquet is missing"):
        _ = History(tmp_path).impressions
    (tmp_path / "click.parquet").write_text("not parquet")
    with pytest.raises(BadHistory, match=r"click\.parquet is not a Parquet file"):
        _ = History(tmp_path).clicks
    pl.DataFrame({"event_id": ["a"]}).write_parquet(tmp_path / "purchase.parquet")
    with pytest.raises(BadHistory, match="column event_time is missing"):
        _ = History(tmp_path).purchases
    nulls = {name: [name, None] for name in ("event_id", "event_time", "shopper", "item")}
    pl.DataFrame(nulls | {"event_id": ["a", "b"]}).write_parquet(tmp_path / "purchase.parquet")
    with pytest.raises(BadHistory, match="column event_time has no value in 1 of 2 rows"):
        _ = History(tmp_path).purchases
    with pytest.raises(BadHistory, match=r"click\.parquet is not a Parquet file that can be read: Not a directory"):
        _ = History(tmp_path / "click.parquet").clicks
    (tmp_path / "products.jsonl").write_text('{"item": 3}')
    with pytest.raises(BadHistory, match=r"products\.jsonl, line 1"):
        _ = History(tmp_path).products


def test_embedded_keywords_are_kept_until_the_history_changes(market: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    first = embedded_keywords(History(market), LetterEncoder(), tmp_path, lambda *done: told.append(done))
    assert told[-1][0] == told[-1][1] == len(first.keywords)
    again = embedded_keywords(History(market), LetterEncoder(), tmp_path, lambda *done: pytest.fail("embedded again"))
    assert again.keywords == first.keywords
    np.testing.assert_array_equal(again.vectors, first.vectors)
    other = LetterEncoder()
    other.name = "another"
    embedded_keywords(History(market), other, tmp_path, lambda *done: told.append(done))
    assert len(told) == 2
    (first_text, second_text) = (first.keywords[0].text, first.keywords[1].text)
    merging = CanonicalForms("v1", {fold(first_text): "both", fold(second_text): "both"})
    merged = embedded_keywords(History(market, merging), other, tmp_path, lambda *done: told.append(done))
    assert len(told) == 3
    (both,) = [one for one in merged.keywords if one.canonical == "both"]
    assert both.text in (first_text, second_text)


# --- rows to learn from ------------------------------------------------------------------------------------------


def test_labels_are_old_enough_and_nothing_later_is_known(market: Path, settings: Settings) -> None:
    history = History(market)
    until = UNTIL_MS - 2 * DAY_MS
    rows = label_rows(history, UNTIL_MS - 5 * DAY_MS, until, settings)
    times = rows.get_column("event_time")
    assert times.min() >= UNTIL_MS - 5 * DAY_MS
    clicks_known = until - settings.late_horizon_ms
    assert clicks_known - DAY_MS / 24 < times.max() < clicks_known
    assert times.is_sorted()
    # What happened later changes no label: a purchase that could still come is not known.
    later = label_rows(history, UNTIL_MS - 5 * DAY_MS, UNTIL_MS, settings, most=10**9)
    whole = label_rows(history, UNTIL_MS - 5 * DAY_MS, until, settings, most=10**9)
    key = ["search_id", "item"]
    bought = pl.col("event_time") < clicks_known - settings.attribution_window_ms
    for since, label in ((pl.col("event_time") < clicks_known, "clicked"), (bought, "purchased")):
        same = later.filter(since).sort(key).select(*key, label)
        assert whole.filter(since).sort(key).select(*key, label).equals(same)
        assert same.get_column(label).sum() > 20
    assert whole.filter(~bought).get_column("purchased").is_null().all()
    assert whole.filter(bought).get_column("purchased").is_not_null().all()


def test_a_sample_stands_for_all(market: Path, settings: Settings) -> None:
    rows = label_rows(History(market), 0, UNTIL_MS, settings, most=20_000)
    whole = label_rows(History(market), 0, UNTIL_MS, settings, most=10**9)
    assert len(rows) <= 20_000 < len(whole)
    assert rows.get_column("weight").sum() == pytest.approx(len(whole), rel=1e-3)
    clicked = rows.filter("clicked").get_column("weight").sum()
    assert clicked == pytest.approx(whole.get_column("clicked").sum(), rel=1e-3)


# --- measures ----------------------------------------------------------------------------------------------------


def test_measures() -> None:
    assert ndcg([3, 2, 1], [1, 2, 3]) == pytest.approx(1)
    assert ndcg([0, 1], [1]) == pytest.approx(1 / np.log2(3))
    assert ndcg([0] * 10 + [1], [1]) == 0
    assert ndcg([], []) == 0
    assert reciprocal_rank([False, True, True]) == 0.5
    assert reciprocal_rank([False]) == 0


def test_variants_of_one_concept_gain_once() -> None:
    gains = Gains({"boots": 2.0, "lamp": 1.0}, {"boot": "boots", "bot": "boots"})
    assert gains.in_order(["bot", "boot", "lamp", "other"]) == [2, 0, 1, 0]
    assert gains.in_order(gains.best_order(["other", "bot", "boot", "lamp"])) == [2, 1, 0, 0]


# --- the whole way -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_training_writes_a_bundle_that_beats_the_rate(
    trained: bundle.Manifest, settings: Settings, market: Path
) -> None:
    loaded = bundle.load(settings.bundle_path, settings)
    assert loaded.manifest == trained
    for target in ("click", "purchase"):
        loss = trained.metrics[f"{target}_validation_log_loss"]
        assert loss < trained.metrics[f"{target}_validation_log_loss_of_rate"]
        assert (market.parent / "reports" / f"shap_{target}.png").stat().st_size > 10_000
    keywords, vectors = loaded.keywords()
    assert len(keywords) == len(vectors) > 500
    assert loaded.encoder().encode(["boots"]).shape == (1, 384)
    assert len(loaded.pairs()) > 100
    vacancy = loaded.vacancies().of(keyword.canonical for keyword in keywords)
    assert 0 < vacancy.min() < 1 < vacancy.max()
    assert trained.impression_share != ImpressionShare()
    assert trained.impression_share.contradicted < 0 < trained.impression_share.offer
    assert trained.impression_share.vacancy > 0


@pytest.mark.slow
def test_the_ranker_is_ahead_of_its_baselines(market: Path, report: dict[str, Any]) -> None:
    assert report["judged_by"] == "by_true_value"
    assert report["by_true_value"]["campaigns"] >= 40
    assert report["auctions"]["learnt"]["campaigns"] >= 20
    assert report["auctions"]["learnt"]["ndcg_at_10"] > 0.4
    for measure in ("ndcg_at_10", "mrr"):
        model = report["model"][measure]
        assert all(report[name][measure] < model for name in ("popularity", "similarity", "random"))
        assert model < report["oracle"][measure] <= 1
    assert json.loads(json.dumps(report)) == report
    pages = write_report(report, market.parent / "eval.json")
    for page in pages:
        text = page.read_text()
        assert all(name in text for name in ("Targets", "oracle over the candidates", "BM25", "pair never shown"))
    assert pages[1].read_text().count("<img") >= 4


@pytest.mark.slow
def test_the_report_holds_every_row_slice_and_target(
    trained: bundle.Manifest, market: Path, settings: Settings, report: dict[str, Any]
) -> None:
    rows = report["by_true_value"]["rows"]
    assert {
        "random",
        "popularity",
        "popularity_in_category",
        "bm25",
        "alignment",
        "similarity",
        "fused",
        "boosted",
        "oracle",
    } <= set(rows)
    for row in rows.values():
        assert set(MEASURES) <= set(row)
        assert all(one["low"] <= one["mean"] <= one["high"] for name, one in row.items() if name in MEASURES)
    assert rows["boosted"] == rows["model"]
    assert {"item", "keyword", "category", "price band", "item known"} == set(report["slices"])
    found = report["retrieval"]["rows"]
    assert found["fused, dense, untuned"]["recall@200"]["mean"] > found["random"]["recall@200"]["mean"]
    assert report["real_text"] is None
    assert set(report["impressions"]["model"]["click"]) >= {
        "all",
        "pair shown before",
        "pair never shown",
        "shuffled pages",
    }
    for target in report["targets"]:
        assert set(target) == {"name", "figure", "low", "high", "wanted", "met"}
    assert {one["measure"] for one in report["by_true_value"]["pairs"]} == {"ndcg_at_10", "mrr"}


@pytest.mark.slow
def test_probabilities_are_those_of_the_reference_position(report: dict[str, Any]) -> None:
    """The simulator knows: corrected for places, the ranker is nearer to the truth than the category's rate."""
    assert report["examination_decay"] == pytest.approx(DECAY, abs=0.08)
    judged = report["impressions"]
    for target in ("click", "purchase"):
        ours, usual = (judged[name][target]["all"] for name in ("model", "category rate"))
        assert ours["log_loss"] < usual["log_loss"]
        assert ours["truth"]["divergence"] < usual["truth"]["divergence"]
        assert ours["truth"]["rank_correlation"] > 0.4


@pytest.mark.slow
def test_a_challenger_is_judged_against_the_champion_and_put_into_use(
    trained: bundle.Manifest, market: Path, settings: Settings, tmp_path: Path
) -> None:
    """Equal to the champion, it passes."""
    used = settings.model_copy(update={"bundle_path": tmp_path / "bundle", "promote_latency_ms": 1e4})
    registry = Registry(used, UNTIL_MS)
    training = Training({}, trained.metrics, [], card(trained), [], settings.bundle_path)
    registry.crown(registry.record(trained.model_version, training))
    registry.challenge(registry.record(trained.model_version, training))
    version, rules = promote(market, used, ManualClock(UNTIL_MS), silent())
    assert version.number == "2"
    assert bundle.load(used.bundle_path, used).manifest == trained
    quality = next(rule for rule in rules if rule.name == "quality")
    assert "champion" in quality.wanted
    assert quality.found.startswith("+0.000 (+0.000 to +0.000")


@pytest.mark.slow
def test_a_planted_leak_is_caught(trained: bundle.Manifest, market: Path, settings: Settings) -> None:
    """Features as of two days after creation hold what the campaign itself caused: they are refused."""
    history, model = History(market), bundle.load(settings.bundle_path, settings)
    cases = held_out(history, trained.trained_until, EmbeddedKeywords(*model.keywords()), model.encoder(), settings)
    honest = join_vectors(cases.rows, settings)
    check_nothing_leaked(cases.rows, honest, cases.campaigns)
    assert honest.keyword.any()
    assert honest.item.any()

    later = cases.rows.with_columns(pl.col("event_time") + 2 * DAY_MS)
    with pytest.raises(Leak, match="its own counts"):
        check_nothing_leaked(cases.rows, join_vectors(later, settings), cases.campaigns)
    with pytest.raises(Leak, match="it was created at"):
        check_nothing_leaked(later, honest, cases.campaigns)


@pytest.mark.slow
def test_nothing_that_a_held_out_campaign_caused_reaches_its_candidates(
    trained: bundle.Manifest, market: Path, settings: Settings
) -> None:
    """The same history, but held-out campaigns chose other keywords: not one candidate differs."""
    model = bundle.load(settings.bundle_path, settings)
    known = EmbeddedKeywords(*model.keywords())
    history = History(market)
    rows = held_out(history, trained.trained_until, known, model.encoder(), settings).rows
    judged = {one.campaign for one in held_out_campaigns(history, trained.trained_until)}
    other = History(market)
    other.__dict__["campaigns"] = [
        msgspec.structs.replace(one, keywords=[]) if one.campaign in judged else one for one in history.campaigns
    ]
    assert held_out(other, trained.trained_until, known, model.encoder(), settings).rows.equals(rows)


@pytest.mark.slow
def test_a_bundle_is_not_judged_by_counts_under_another_dictionary(
    trained: bundle.Manifest, market: Path, settings: Settings, tmp_path: Path
) -> None:
    used = settings.model_copy(update={"home": tmp_path})
    write_forms(forms_file(used), CanonicalForms("v1"))
    with pytest.raises(bundle.BundleRefused, match="under no dictionary, keywords are counted under dictionary v1"):
        evaluate(market, used, silent())


@pytest.mark.slow
def test_a_bundle_serves_by_the_clicks_of_the_last_day_and_is_judged_by_those_of_its_training(
    trained: bundle.Manifest, market: Path, settings: Settings
) -> None:
    made = bundle.load(settings.bundle_path, settings)
    assert made.models.calibration == trained.calibration
    newest, before = trained.newest_calibration["click"], trained.calibration["click"]
    assert made.serving.calibration["click"] == newest
    assert newest.slope == before.slope
    assert newest.intercept != before.intercept
    assert made.serving.calibration["purchase"] == trained.calibration["purchase"]
    known = EmbeddedKeywords(*made.keywords())
    matcher = Matcher(made.encoder(), KeywordCatalogue(known.keywords, known.vectors))
    looked = Examination(trained.examination)

    def calibrated(history: History) -> tuple[Examples, float]:
        """What was shown on the last day; predicted / observed clicks once the bundle is calibrated by that."""
        rows = EventLog(history).newest_clicks(looked, matcher, trained.vocabulary, settings, silent())
        assert rows
        odds = made.models.model.log_odds(rows.matrix, "click")
        predicted = moved(made.models, "click", rows).probability(odds)
        return rows, float(np.average(rows.examined * predicted, weights=rows.weights)) / rows.rate

    usual, ratio = calibrated(History(market))
    assert ratio == pytest.approx(1, abs=0.02)
    fewer = History(market)
    last_day = pl.col("event_time") >= UNTIL_MS - settings.late_horizon_ms - DAY_MS
    fewer.__dict__["clicks"] = fewer.clicks.filter(~last_day | (pl.col("event_id").hash(7) % 2 == 0))
    halved, ratio = calibrated(fewer)
    assert halved.rate == pytest.approx(usual.rate / 2, rel=0.1)
    assert ratio == pytest.approx(1, abs=0.1), "drawn a little towards what the model says"
    silent_day, (_, last) = History(market), fewer.span
    at = pl.col("event_time")
    silent_day.__dict__["impressions"] = fewer.impressions.filter((at < last - 2 * DAY_MS) | (at == last))
    assert EventLog(silent_day).newest_clicks(looked, matcher, trained.vocabulary, settings, silent()) is None
    assert (
        moved(made.models, "click", replace(usual, labels=np.zeros_like(usual.labels))) == trained.calibration["click"]
    )


def test_calibration_takes_the_later_rows_whose_pairs_show_their_counts() -> None:
    rows = pl.DataFrame(
        {
            "event_time": [*range(7), 9, 9, 9],
            "item": ["a"] * 10,
            "position": [1] * 10,
            "clicked": [True] * 8 + [False, True],
            "purchased": [True, False] * 3 + [None] * 4,
            "weight": [1.0] * 10,
        }
    )
    features = np.arange(10, dtype=np.float32)[:, np.newaxis]
    hidden = np.isin(np.arange(10), [5, 7])
    learning = TrainingSet(rows, features, 10, Examination(0.0), hidden)
    clicks, later_clicks = learning.split("click")
    assert (clicks.matrix.ravel().tolist(), later_clicks.matrix.ravel().tolist()) == ([*range(7)], [7, 8, 9])
    assert learning.calibrating("click").matrix.ravel().tolist() == [8, 9]
    purchases, later_purchases = learning.split("purchase")
    assert (purchases.matrix.ravel().tolist(), later_purchases.matrix.ravel().tolist()) == ([*range(4)], [4, 5])
    assert later_purchases.labels.tolist() == [True, False]
    assert learning.calibrating("purchase").matrix.ravel().tolist() == [4, 5], "one class alone calibrates nothing"


def test_the_level_of_clicks_is_that_of_the_last_day() -> None:
    """A model says .2 of every row; lately, where the pair shows its counts, half of them are clicked."""

    class Always:
        kind, feature_names = "always", ["x"]

        def log_odds(self, matrix: NDArray[np.floating], target: str) -> NDArray[np.float64]:
            return np.full(len(matrix), np.log(0.25))

    n, days = 60_000, 6
    rng = np.random.default_rng(2)
    time = np.sort(rng.integers(0, days * DAY_MS, n))
    hidden = rng.random(n) < 0.3
    lately = (time > time.max() - DAY_MS) & ~hidden
    rows = pl.DataFrame({"event_time": time, "item": "a", "position": 1, "weight": 1.0}).with_columns(
        clicked=pl.Series(rng.random(n) < np.where(lately, 0.5, 0.2)), purchased=pl.Series(rng.random(n) < 0.3)
    )
    learning = TrainingSet(rows, np.zeros((n, 1), np.float32), 0, Examination(0.0), hidden)
    assert len(learning.newest("click")) == lately.sum()
    calibration = calibrations(Always(), learning)["click"]  # type: ignore[arg-type]
    assert calibration.probability(np.array([np.log(0.25)]))[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_too_little_to_learn_or_to_judge_says_so(
    trained: bundle.Manifest, market: Path, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(CannotLearn, match="more days of history are needed"):
        train(
            EventLog(History(market)),
            settings.model_copy(update={"attribution_window_ms": 5 * DAY_MS}),
            ManualClock(),
            silent(),
            tmp_path,
        )
    ended = tmp_path / "history"
    ended.mkdir()
    for path in market.iterdir():
        (ended / path.name).write_bytes(b"" if path.name == "campaigns.jsonl" else path.read_bytes())
    with pytest.raises(NothingToJudge, match="no campaign"):
        evaluate(ended, settings, silent())
