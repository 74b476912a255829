"""Features of pairs, the trees, their contributions, and the bundle that carries them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from feature_repo.vectors import METRICS, sum_names
from infra.settings import Settings, load
from scorers.history import History
from scorers.keywords.table import Keyword
from scorers.ranking import bundle
from scorers.ranking.features import (
    PairInputs,
    Vocabulary,
    feature_names,
    feature_types,
    matrix,
    ranker_windows,
    serving_rows,
    vocabulary_of,
)
from scorers.ranking.impression_share import ImpressionShare, bid_strength, terms
from scorers.ranking.model import TARGETS, Probabilities
from scorers.ranking.ranker import BundleRanker
from scorers.ranking.wording import attributes_of, lacks, statement
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.matching import Matcher
from scorers.training.dataset import facts_of, hide_pairs, some_hidden
from scorers.training.examples import Examples, Features
from scorers.training.learners.learner import learner
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.messages import CampaignKeyword, CampaignState, ProductState
from tests.unit.scorers.letters import LetterEncoder

NOW = 1_700_000_000_000
SETTINGS = load()
IMPRESSION_SHARE = ImpressionShare(offer=0.9, contradicted=-2.0, unseen=-1.5, vacancy=0.7, intercept=-1.0)
WIDTH = len(sum_names(SETTINGS.windows))
BOOTS = ProductState(
    schema_version=1,
    item="i1",
    seller="s",
    title="Acme rain boots",
    category="boots",
    price=5_000,
    brand="Acme",
    specification={"Size": "size M", "Color": "red"},
    updated_at=NOW,
)
LAMP = ProductState(
    schema_version=1, item="i2", seller="s", title="Zeta desk lamp size XL", category="lamps", brand="Zeta",
    condition="used", specification={"Size": "size XL", "Color": "blue"}, updated_at=NOW,
)  # fmt: skip
CAMPAIGN = CampaignState(
    schema_version=1,
    campaign="c1",
    seller="s",
    items=["i1", "i2"],
    keywords=[CampaignKeyword(text="rain boots", bid=40), CampaignKeyword(text="boots", bid=60)],
    ad_rate=0.1,
    starts_at=NOW,
    updated_at=NOW,
)
KEYWORDS = [Keyword(canonical=form, text=form, shoppers=9) for form in ("boot rain", "desk lamp", "boot size xl")]


def random_sums(rows: int, seed: int) -> NDArray[np.float64]:
    """Vectors whose longer windows hold what the shorter ones do."""
    counts = np.random.default_rng(seed).poisson(2.0, (rows, WIDTH // len(METRICS), len(METRICS)))
    return counts.cumsum(axis=1).reshape(rows, WIDTH).astype(np.float64)


def column(features: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return features[:, feature_names(SETTINGS.windows).index(name)]


def inputs() -> PairInputs:
    catalogue = KeywordCatalogue(KEYWORDS, LetterEncoder().encode([one.text for one in KEYWORDS]))
    matcher = Matcher(LetterEncoder(), catalogue)
    texts = matcher.read([BOOTS, LAMP])
    matches = np.array([matcher.matches(text, [one.canonical for one in KEYWORDS]) for text in texts]).reshape(6, 2)
    return PairInputs(
        campaigns=[CAMPAIGN],
        products=[BOOTS, LAMP],
        keywords=KEYWORDS,
        campaign_of=np.zeros(6, np.int64),
        product_of=np.repeat([0, 1], 3),
        keyword_of=np.tile([0, 1, 2], 2),
        campaign_sums=random_sums(1, 1),
        item_sums=random_sums(2, 2),
        category_sums=random_sums(2, 3) * 50,
        keyword_sums=random_sums(3, 4),
        pair_sums=random_sums(6, 5),
        dense=matches[:, 0],
        lexical=matches[:, 1],
        live_items=np.array([7.0, 3.0]),
    )


# --- features ----------------------------------------------------------------------------------------------------


def test_names_types_and_columns_agree() -> None:
    features = matrix(*serving_rows(inputs(), vocabulary_of([BOOTS, LAMP])), SETTINGS)
    names = feature_names(SETTINGS.windows)
    assert features.shape == (6, len(names))
    assert len(set(names)) == len(names)
    assert [name for name, kind in zip(names, feature_types(SETTINGS.windows), strict=True) if kind == "c"] == [
        "condition",
        "category",
    ]
    assert column(features, "price").tolist()[:3] == [5_000] * 3
    assert np.isnan(column(features, "price")[3:]).all()
    assert column(features, "bid").tolist() == [50] * 6
    assert column(features, "live_items").tolist() == [7] * 3 + [3] * 3


def test_short_windows_are_left_to_the_forecast() -> None:
    assert ranker_windows(("10m", "1h", "24h", "7d")) == ("24h", "7d")
    assert ranker_windows(("10m", "1h")) == ("10m", "1h")
    assert len(feature_names(("24h", "7d"))) == len(feature_names(("10m", "24h", "7d")))


def test_training_and_serving_compute_the_same_features(tmp_path: Path) -> None:
    """The same six rows by the path of training and by that of serving: equal to the bit."""
    served = inputs()
    vocabulary = vocabulary_of(served.products)
    sums, facts = serving_rows(served, vocabulary)
    for name, states in (("products", served.products), ("campaigns", served.campaigns)):
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, states)))
    frame = pl.DataFrame(
        {
            "item": [served.products[row].item for row in served.product_of],
            "category": [served.products[row].category for row in served.product_of],
            "campaign": ["c1"] * 6,
            "canonical": [KEYWORDS[row].canonical for row in served.keyword_of],
        }
    )
    catalogue = KeywordCatalogue(KEYWORDS, LetterEncoder().encode([one.text for one in KEYWORDS]))
    learnt = facts_of(
        frame, History(tmp_path), Matcher(LetterEncoder(), catalogue), vocabulary, {"boots": 7, "lamps": 3}
    )
    np.testing.assert_array_equal(matrix(sums, learnt, SETTINGS), matrix(sums, facts, SETTINGS))


def test_an_organic_row_has_no_campaign() -> None:
    sums, facts = serving_rows(inputs(), vocabulary_of([BOOTS, LAMP]))
    organic = matrix(sums, dataclasses.replace(facts, promoted=np.zeros(6)), SETTINGS)
    names = feature_names(SETTINGS.windows)
    of_campaign = [at for at, name in enumerate(names) if name.startswith("campaign_")]
    assert np.isnan(organic[:, of_campaign]).all()
    assert not np.isnan(matrix(sums, facts, SETTINGS)[:, of_campaign]).any()


def test_nothing_is_known_of_a_hidden_pair_itself() -> None:
    names = feature_names(SETTINGS.windows)
    of_pair = np.array([name.startswith("pair_") for name in names])
    features = np.random.default_rng(3).random((2_000, len(names)), dtype=np.float32)
    without_counts = some_hidden(len(features))
    assert 0.25 < without_counts.mean() < 0.35
    hidden = hide_pairs(features, names, without_counts)
    assert np.isnan(hidden[np.ix_(without_counts, of_pair)]).all()
    np.testing.assert_array_equal(hidden[~without_counts], features[~without_counts])
    np.testing.assert_array_equal(hidden[:, ~of_pair], features[:, ~of_pair])


def test_prices_are_compared_with_what_is_bought() -> None:
    served = inputs()
    sums, facts = serving_rows(served, vocabulary_of(served.products))
    sums.keyword[:, METRICS.index("units") - len(METRICS)] = 4
    sums.keyword[:, METRICS.index("revenue") - len(METRICS)] = [40_000, 20_000, 0] * 2
    ratios = column(matrix(sums, facts, SETTINGS), "price_to_keyword")
    np.testing.assert_allclose(ratios[:2], [np.log(0.5), 0.0], atol=1e-6)
    assert np.isnan(ratios[2:]).all()


@pytest.mark.parametrize(
    ("canonical", "missing", "contradicted"),
    [
        ("boot rain", 0, 0),
        ("boot m size", 0, 0),
        ("boot waterproof", 1, 0),
        ("blue boot xl", 2, 2),
        ("boot zeta", 1, 1),
    ],
)
def test_silent_is_not_contradicted(canonical: str, missing: int, contradicted: int) -> None:
    attributes = attributes_of([BOOTS, LAMP])
    assert lacks(statement(BOOTS), canonical, attributes) == (missing, contradicted)


# --- the bundle --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models() -> Probabilities:
    """Trees that have learnt a little, of rows that say nothing."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(400, len(feature_names(SETTINGS.windows)))).astype(np.float32)
    names = feature_names(SETTINGS.windows)
    for name in ("condition", "category"):
        features[:, names.index(name)] = rng.integers(0, 3, 400)
    rows = Examples(features, rng.random(400) < 0.3, np.ones(400, np.float32), np.ones(400), np.arange(400) // 9)
    teacher = learner("boosted", Features(names, feature_types(SETTINGS.windows)))
    parts = {target: teacher.fit(target, rows, rows, teacher.defaults, lambda _: None)[0] for target in TARGETS}
    return Probabilities(teacher.model(parts), {})


def unseen(rows: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(size=(rows, len(feature_names(SETTINGS.windows)))).astype(np.float32)


@pytest.fixture
def folder(models: Probabilities, tmp_path: Path) -> Path:
    def fill(target: Path) -> None:
        models.model.save(target)
        (target / "encoder").mkdir()
        (target / "encoder" / "encoder.json").write_text("{}")

    bundle.write(tmp_path / "bundle", manifest(SETTINGS), fill)
    return tmp_path / "bundle"


def manifest(settings: Settings) -> bundle.Manifest:
    return bundle.Manifest(
        model_version="",
        created_at=NOW,
        windows=list(settings.windows),
        features=list(feature_names(settings.windows)),
        feature_types=feature_types(settings.windows),
        vocabulary=Vocabulary(["new"], ["boots"], {"red": ["Color"]}),
        smoothing={name: getattr(settings, name) for name in bundle.SMOOTHING},
        impression_share=IMPRESSION_SHARE,
        auction={name: getattr(settings, name) for name in bundle.AUCTION},
        trained_until=NOW,
        history_days=10.0,
        encoder="letters",
        metrics={"click_rows": 1.0},
        files={},
    )


def test_a_bundle_survives_the_disk(folder: Path, models: Probabilities) -> None:
    loaded = bundle.load(folder, SETTINGS)
    rows = unseen(100)
    np.testing.assert_array_equal(loaded.models.predict(rows)[0], models.predict(rows)[0])
    assert loaded.manifest.model_version.startswith("boosted-")
    assert loaded.manifest.vocabulary.attributes == {"red": ["Color"]}
    assert {"click.ubj", "purchase.ubj", "encoder/encoder.json"} == set(loaded.manifest.files)


def test_the_version_follows_from_the_content(folder: Path, models: Probabilities, tmp_path: Path) -> None:
    again = bundle.write(
        tmp_path / "again", msgspec.structs.replace(manifest(SETTINGS), created_at=NOW + 1), models.model.save
    )
    twice = bundle.write(tmp_path / "again", manifest(SETTINGS), models.model.save)
    assert again.model_version == twice.model_version
    assert again.model_version != bundle.read_manifest(folder).model_version
    assert (tmp_path / "again.previous").is_dir()


def test_a_bundle_that_does_not_match_is_refused(folder: Path) -> None:
    with pytest.raises(bundle.BundleRefused, match=r"setting windows: 1h,24h, the bundle was trained on 10m,1h,24h,7d"):
        bundle.load(folder, load(windows="1h,24h"))
    with pytest.raises(bundle.BundleRefused, match="setting smoothing_clicks: 33"):
        bundle.load(folder, load(smoothing_clicks=33))
    with pytest.raises(bundle.BundleRefused, match="setting typical_bid: 33, the bundle was trained with 90"):
        bundle.load(folder, load(typical_bid=33))


def test_a_worker_estimates_p_shown_by_what_the_bundle_learnt(folder: Path) -> None:
    bundle.save_vacancies(folder, pl.DataFrame({"canonical": ["desk lamp"], "vacancy": [3.0]}))
    made = bundle.load(folder, SETTINGS)
    ranker, served = BundleRanker(made, SETTINGS), inputs()
    features = ranker.matrix(served)
    expected = terms(
        np.full(6, bid_strength(CAMPAIGN, SETTINGS)),
        served.dense,
        column(features, "contradicted_words").astype(float),
        column(features, "keyword_words").astype(float),
        np.expm1(column(features, "pair_log_impressions_7d").astype(float)),
        np.array([1.0, 3.0, 1.0] * 2),
        np.zeros(6),
        SETTINGS,
    )
    np.testing.assert_allclose(ranker.shown(served, features), IMPRESSION_SHARE.probability(expected), rtol=1e-6)


def test_a_bundle_holds_what_it_counted_under_and_is_refused_where_that_is_another(
    models: Probabilities, tmp_path: Path
) -> None:
    forms = CanonicalForms("v1", {"rian boots": "boot rain"})

    def fill(target: Path) -> None:
        models.model.save(target)
        bundle.save_forms(target, forms)

    bundle.write(tmp_path / "bundle", msgspec.structs.replace(manifest(SETTINGS), dictionary="v1"), fill)
    made = bundle.load(tmp_path / "bundle", SETTINGS)
    assert made.canonical() == forms
    assert "forms.json" in made.manifest.files
    bundle.check_dictionary(made.manifest, "v1")
    for counted, named in (("v2", "dictionary v2"), ("", "no dictionary")):
        with pytest.raises(bundle.BundleRefused, match=rf"under dictionary v1, .* counted under {named}.*rebuild"):
            bundle.check_dictionary(made.manifest, counted)


def test_a_bundle_without_a_dictionary_counts_under_normal_forms(folder: Path) -> None:
    made = bundle.load(folder, SETTINGS)
    assert made.canonical() == NORMAL
    bundle.check_dictionary(made.manifest, NORMAL.version)
    with pytest.raises(bundle.BundleRefused, match=r"trained under no dictionary.*under dictionary v1"):
        bundle.check_dictionary(made.manifest, "v1")


@pytest.mark.parametrize("name", ["click.ubj", "encoder/encoder.json"])
def test_a_changed_or_missing_file_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(bundle.BundleRefused, match=f"{name}: checksum"):
        bundle.load(folder, SETTINGS)
    path.unlink()
    with pytest.raises(bundle.BundleRefused, match=f"{name} is missing"):
        bundle.load(folder, SETTINGS)


def test_another_order_of_features_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    found = bundle.read_manifest(folder)
    swapped = [found.features[1], found.features[0], *found.features[2:]]
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(found, features=swapped)))
    with pytest.raises(bundle.BundleRefused, match=f"features differ from this release's .first: {swapped[0]}"):
        bundle.load(folder, SETTINGS)


def test_no_bundle_and_no_manifest_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(bundle.BundleRefused, match="keypulse train ranker"):
        bundle.load(tmp_path / "nothing", SETTINGS)
    (tmp_path / "manifest.json").write_text('{"format": "new"}')
    with pytest.raises(bundle.BundleRefused, match="cannot be read"):
        bundle.load(tmp_path, SETTINGS)
