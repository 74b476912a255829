"""Versions and aliases on a real registry, the gate's rules, and what promotion moves."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from infra.clock import ManualClock
from infra.settings import Settings, load
from infra.steps import silent
from scorers.evaluation.impressions import FIRST_DAY
from scorers.ranking import bundle
from scorers.ranking.features import Vocabulary, feature_names, feature_types
from scorers.ranking.model import TARGETS, Probabilities
from scorers.registry import promotion
from scorers.registry.gate import gate
from scorers.registry.promotion import NotPromoted, promote, rollback
from scorers.registry.store import CHALLENGER, CHAMPION, Registry, RegistryError, Version
from scorers.training.command import card, record
from scorers.training.examples import Examples, Features
from scorers.training.learners.learner import learner
from scorers.training.ranker import Trained

NOW = 1_790_000_000_000
_PARAMETERS = {target: {"penalty": 30.0} for target in TARGETS}

REPORT: dict[str, Any] = {
    "judged_by": "by_true_value",
    "by_true_value": {
        "model_against_others": [
            {"measure": "ndcg_at_10", "worse": "popularity", "mean": 0.2, "low": 0.1, "high": 0.3, "n": 40},
            {"measure": "ndcg_at_10", "worse": "champion", "mean": 0.0, "low": -0.005, "high": 0.1, "n": 40},
        ]
    },
    "impressions": {
        "model": {
            target: {rows: {"observed_to_predicted": {"mean": 1.03, "low": 0.98, "high": 1.08}}}
            for target, rows in (("click", FIRST_DAY), ("purchase", "all"))
        }
    },
    "real_text": None,
    "encoders": {"bundle": "towers-1", "two towers": "towers-1"},
    "models": {"model": {"milliseconds": {"1": 0.2, "200": 0.9, "12800": 40.0}}},
    "bundle_megabytes": 30.0,
}


def failed(report: dict[str, Any]) -> list[str]:
    return [rule.name for rule in gate(report, load()) if not rule.passed]


def test_a_challenger_that_is_as_good_passes_every_rule() -> None:
    assert failed(REPORT) == []
    assert [rule.name for rule in gate(REPORT, load())] == [
        *("features", "quality", "real text, towers", "real text, fused"),
        *("calibration of click", "calibration of purchase", "latency", "size"),
    ]


@pytest.mark.parametrize(
    ("rule", "path", "value"),
    [
        ("quality", ("by_true_value", "model_against_others", 1, "low"), -0.02),
        ("calibration of click", ("impressions", "model", "click", FIRST_DAY, "observed_to_predicted", "low"), 1.06),
        ("calibration of purchase", ("impressions", "model", "purchase", "all", "observed_to_predicted", "high"), 0.9),
        ("latency", ("models", "model", "milliseconds", "200"), 25.0),
        ("size", ("bundle_megabytes",), 900.0),
    ],
)
def test_each_rule_can_fail_alone(rule: str, path: tuple[Any, ...], value: float) -> None:
    report = copy.deepcopy(REPORT)
    place: Any = report
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert failed(report) == [rule]


@pytest.mark.parametrize("name", ["towers", "fused"])
def test_what_loses_on_real_text_does_not_pass(name: str) -> None:
    gained = {"mean": 0.01, "low": -0.005, "high": 0.03, "n": 900}
    words = {"tuned_minus_untuned": {"towers": gained, "fused": gained}}
    assert failed(REPORT | {"real_text": words}) == []
    words["tuned_minus_untuned"][name] = gained | {"low": -0.0051}
    assert failed(REPORT | {"real_text": words}) == [f"real text, {name}"]
    untuned = {"bundle": "all-MiniLM", "two towers": "towers-1"}
    assert failed(REPORT | {"real_text": words, "encoders": untuned}) == []  # other towers than the bundle's


def test_without_a_catalogue_the_gate_says_that_real_text_was_not_judged() -> None:
    rules = [rule for rule in gate(REPORT, load()) if rule.name.startswith("real text")]
    assert [(rule.passed, rule.found) for rule in rules] == [
        (True, "not judged: no catalogue was given (--catalogue)")
    ] * 2


def test_the_first_challenger_must_beat_popularity() -> None:
    report = copy.deepcopy(REPORT)
    others = report["by_true_value"]["model_against_others"]
    del others[1]
    assert failed(report) == []
    others[0]["low"] = -0.001
    assert failed(report) == ["quality"]


def test_without_an_impression_calibration_is_not_taken_for_granted() -> None:
    assert failed(REPORT | {"impressions": None}) == ["calibration of click", "calibration of purchase"]


# --- the registry ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> Trained:
    settings = load()
    names = feature_names(settings.windows)
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(300, len(names))).astype(np.float32)
    rows = Examples(matrix, rng.random(300) < 0.3, np.ones(300, np.float32), np.ones(300), np.arange(300) // 9)
    teacher = learner("linear", Features(names, feature_types(settings.windows)))
    taught = {target: teacher.fit(target, rows, rows, teacher.defaults, lambda _: None) for target in TARGETS}
    model = Probabilities(teacher.model({target: part for target, (part, _) in taught.items()}), {})
    return Trained(model, {target: curve for target, (_, curve) in taught.items()}, _PARAMETERS, {})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path / "home", bundle_path=tmp_path / "bundle")


def registered(registry: Registry, trained: Trained, settings: Settings, number: int) -> Version:
    """A version whose bundle differs from others' by a metric."""
    folder = settings.home / f"made-{number}"
    manifest = bundle.Manifest(
        model_version="",
        created_at=NOW,
        windows=list(settings.windows),
        features=list(feature_names(settings.windows)),
        feature_types=feature_types(settings.windows),
        vocabulary=Vocabulary(["new"], ["boots"], {}),
        smoothing={name: getattr(settings, name) for name in bundle.SMOOTHING},
        model="linear",
        trained_until=NOW,
        history_days=10.0,
        encoder="letters",
        metrics={"click_rows": float(number)},
        files={},
    )
    manifest = bundle.write(folder, manifest, trained.models.model.save)
    plots = settings.home / "plots"
    plots.mkdir(exist_ok=True)
    (plots / "curves_linear.png").write_bytes(b"png")
    return record(registry, manifest, trained, folder, plots)


def in_use(settings: Settings) -> float:
    return bundle.load(settings.bundle_path, settings).manifest.metrics["click_rows"]


@pytest.fixture
def judged_good(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The judgement itself has its own tests, on a market; here it is a report that can be spoilt."""
    report = copy.deepcopy(REPORT)
    monkeypatch.setattr(promotion, "evaluate", lambda *_, **__: report)
    return report


def test_promotion_and_rollback_move_alias_and_bundle_together(
    trained: Trained, settings: Settings, judged_good: dict[str, Any], tmp_path: Path
) -> None:
    clock = ManualClock(NOW)
    registry = Registry(settings, NOW)
    with pytest.raises(NotPromoted, match="there is no challenger"):
        promote(tmp_path, settings, clock, silent())
    with pytest.raises(NotPromoted, match="nothing to roll back to"):
        rollback(settings, clock)

    for number in (1, 2, 3):
        registry.challenge(registered(registry, trained, settings, number))
        version, rules = promote(tmp_path, settings, clock, silent())
        assert version.number == str(number)
        assert all(rule.passed for rule in rules)
        assert in_use(settings) == number
        champion = registry.holder(CHAMPION)
        assert champion is not None
        assert champion.number == str(number)
        assert registry.holder(CHALLENGER) is None

    registry.challenge(registered(registry, trained, settings, 4))
    judged_good["bundle_megabytes"] = 1e6
    with pytest.raises(NotPromoted, match=r"version 4 .* stays challenger. size: wanted at most 200 MB"):
        promote(tmp_path, settings, clock, silent())
    assert in_use(settings) == 3

    for number in (2, 1):
        assert rollback(settings, clock).number == str(number)
        assert in_use(settings) == number
    with pytest.raises(NotPromoted, match="nothing to roll back to"):
        rollback(settings, clock)


def test_a_bundle_of_other_features_does_not_pass(
    trained: Trained, settings: Settings, judged_good: dict[str, Any], tmp_path: Path
) -> None:
    registry = Registry(settings, NOW)
    registry.challenge(registered(registry, trained, settings, 1))
    other = settings.model_copy(update={"smoothing_clicks": 33.0})
    with pytest.raises(NotPromoted, match=r"features: .* setting smoothing_clicks: 33"):
        promote(tmp_path, other, ManualClock(NOW), silent())
    assert not settings.bundle_path.exists()


def test_a_run_holds_all_of_a_training(trained: Trained, settings: Settings, tmp_path: Path) -> None:
    registry = Registry(settings, NOW)
    version = registered(registry, trained, settings, 1)
    assert registry.get(version.number) == version
    client = registry._client
    run = client.get_run(version.run)
    assert run.data.params["click_penalty"] == "30.0"
    history = client.get_metric_history(version.run, "curve_click_validation_log_loss")
    assert [point.value for point in history] == [one.validation.log_loss for one in trained.curves["click"].rounds]
    assert {one.path for one in client.list_artifacts(version.run)} == {"bundle", "plots", "card.md"}
    fetched = registry.fetch(version, tmp_path / "fetched")
    assert bundle.load(fetched, settings).manifest.model_version == version.model_version
    assert not list(settings.home.rglob("*.pkl"))
    with pytest.raises(RegistryError, match="version 99"):
        registry.get("99")


def test_a_registry_that_is_away_says_where_it_was_sought(settings: Settings) -> None:
    away = settings.model_copy(update={"registry_url": "http://127.0.0.1:1"})
    with pytest.raises(RegistryError, match=r"http://127.0.0.1:1 \(setting registry_url\)"):
        Registry(away, NOW)


def test_the_card_says_what_it_is_and_is_not(trained: Trained, settings: Settings) -> None:
    registered(Registry(settings, NOW), trained, settings, 7)
    manifest = bundle.read_manifest(settings.home / "made-7")
    text = card(msgspec.structs.replace(manifest, examination=0.7))
    assert all(words in text for words in (manifest.model_version, "linear ranker", "position ** -0.700", "not for"))
