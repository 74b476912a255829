"""What linear, boosted and neural rankers have in common, tried on outcomes whose law is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from scorers.ranking.explanation import top_contributions
from scorers.ranking.linear import Linear
from scorers.ranking.model import KINDS, TARGETS, Calibration, PairModel, load_model
from scorers.ranking.preparation import prepare
from scorers.training.examples import CannotLearn, Examples, Features
from scorers.training.learners.learner import learner
from scorers.training.learners.logistic import logistic
from scorers.training.measures import Curve, Round, grouped_ndcg, measure
from scorers.training.ranker import calibrate
from scorers.training.tuning import tune

ROOT = Path(__file__).parents[4]
NAMES = ("dense", "price", "lexical", "noise", "promoted", "category")
FEATURES = Features(NAMES, ["q", "q", "q", "q", "q", "c"])


def examples(rows: int, seed: int, decay: float = 0.7) -> Examples:
    """Clicks that depend on `dense`, the category, whether `lexical` is known, and the place: good rows stand high."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, len(NAMES))).astype(np.float32)
    matrix[:, 1] = np.exp(rng.normal(7, 2, rows))
    matrix[:, 4] = rng.random(rows) < 0.5
    matrix[:, 5] = rng.integers(0, 3, rows)
    matrix[rng.random(rows) < 0.3, 2] = np.nan
    odds = truth(matrix)
    position = np.clip(np.round(4 - odds + rng.normal(size=rows)), 1, 8)
    examined = position**-decay
    clicked = rng.random(rows) < examined / (1 + np.exp(-odds))
    return Examples(matrix, clicked, np.ones(rows, np.float32), examined, rng.integers(0, rows // 20, rows))


def truth(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-odds at the reference position."""
    return np.asarray(1.2 * matrix[:, 0] + 0.8 * (matrix[:, 5] == 1) - 0.9 * np.isnan(matrix[:, 2]) - 1.0, np.float64)


@pytest.fixture(scope="module", params=KINDS)
def taught(request: pytest.FixtureRequest) -> tuple[PairModel, dict[str, Curve]]:
    teacher = learner(request.param, FEATURES)
    told: list[Round] = []
    parts, curves = {}, {}
    for target in TARGETS:
        parts[target], curves[target] = teacher.fit(
            target, examples(12_000, 1), examples(4_000, 2), teacher.defaults, told.append
        )
    assert len(told) == sum(len(curve.rounds) for curve in curves.values())
    return teacher.model(parts), curves


def test_it_learns_the_log_odds_at_the_reference_position(taught: tuple[PairModel, dict[str, Curve]]) -> None:
    model, _ = taught
    unseen = examples(4_000, 3)
    odds = model.log_odds(unseen.matrix, "click")
    assert np.corrcoef(odds, truth(unseen.matrix))[0, 1] > 0.9
    assert abs((odds - truth(unseen.matrix)).mean()) < 0.15
    fitted = measure(unseen, odds)
    assert fitted.auc > 0.7
    assert 0.9 < fitted.calibration < 1.1
    assert fitted.log_loss < measure(unseen, np.full(4_000, odds.mean())).log_loss - 0.01


def test_it_is_the_same_after_the_disk_and_no_pickle(
    taught: tuple[PairModel, dict[str, Curve]], tmp_path: Path
) -> None:
    model, _ = taught
    model.save(tmp_path)
    unseen = examples(500, 4).matrix
    again = load_model(model.kind, tmp_path)
    for target in TARGETS:
        np.testing.assert_array_equal(again.log_odds(unseen, target), model.log_odds(unseen, target))
    assert again.feature_names == list(NAMES)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".ubj", ".json", ".onnx", ".safetensors"}


def test_it_serves_without_what_it_was_trained_with(taught: tuple[PairModel, dict[str, Curve]], tmp_path: Path) -> None:
    model, _ = taught
    model.save(tmp_path)
    program = (
        "import sys, numpy, pathlib; from scorers.ranking.model import load_model\n"
        f"model = load_model({model.kind!r}, pathlib.Path({str(tmp_path)!r}))\n"
        "model.log_odds(numpy.zeros((2, 6), 'float32'), 'click')\n"
        "sys.exit(' '.join({'torch', 'mlflow', 'optuna', 'shap', 'matplotlib'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stderr.strip() == ""


def test_what_is_missing_unknown_or_absurd_is_taken(taught: tuple[PairModel, dict[str, Curve]]) -> None:
    model, _ = taught
    rows = np.full((3, len(NAMES)), np.nan, np.float32)
    rows[1] = 1e12
    rows[2, 5] = 99
    assert np.isfinite(model.log_odds(rows, "click")).all()


def test_the_greatest_contribution_is_of_what_matters(taught: tuple[PairModel, dict[str, Curve]]) -> None:
    model, _ = taught
    unseen = examples(300, 5)
    amounts = np.abs(model.contributions(unseen.matrix)).mean(axis=0)
    assert NAMES[int(amounts.argmax())] == "dense"
    assert amounts[NAMES.index("noise")] < amounts[NAMES.index("lexical")]
    top = top_contributions(model, unseen.matrix[:5], NAMES, most=2)
    assert all(len(row) == 2 and abs(row[0].contribution) >= abs(row[1].contribution) for row in top)
    assert top_contributions(model, unseen.matrix[:0], NAMES) == []


def test_each_round_is_measured_on_both_sets(taught: tuple[PairModel, dict[str, Curve]]) -> None:
    _, curves = taught
    for curve in curves.values():
        losses = [one.validation.log_loss for one in curve.rounds]
        assert curve.best.number == int(np.argmin(losses)) + 1
        assert losses[-1] < losses[0]
        assert [one.number for one in curve.rounds] == list(range(1, len(losses) + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_one_class_only_is_refused(kind: str) -> None:
    good = examples(200, 1)
    bad = Examples(good.matrix, np.zeros(200, np.bool_), good.weights, good.examined, good.groups)
    teacher = learner(kind, FEATURES)
    with pytest.raises(CannotLearn, match="click: the 200 validation rows are not of both classes"):
        teacher.fit("click", good, bad, teacher.defaults, lambda _: None)


# --- the linear one ----------------------------------------------------------------------------------------------


def test_without_a_place_it_is_logistic_regression() -> None:
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(3_000, 4))
    labels = rng.random(3_000) < 1 / (1 + np.exp(-(columns @ [1.0, -0.5, 0, 0.2] - 1)))
    weights = rng.uniform(0.5, 3, 3_000)
    ours = logistic(columns, labels, weights, np.ones(3_000), penalty=5.0)
    theirs = LogisticRegression(C=1 / 5.0, tol=1e-8).fit(columns, labels, weights)
    np.testing.assert_allclose(ours.coefficients, theirs.coef_[0], atol=2e-3)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=2e-3)


def test_nine_intervals_of_ten_hold_the_truth() -> None:
    """Intervals of 90 %, over 100 samples that a place has thinned."""
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        columns = rng.normal(size=(800, 1))
        examined = rng.uniform(0.2, 1, 800)
        labels = rng.random(800) < examined / (1 + np.exp(-(0.7 * columns[:, 0] - 0.5)))
        fitted = logistic(columns, labels, np.ones(800), examined, penalty=0.0)
        inside += abs(fitted.coefficients[0] - 0.7) < 1.645 * np.sqrt(fitted.covariance[0, 0])
    assert 82 <= inside <= 97


def test_a_weight_has_a_name_and_an_error() -> None:
    teacher = learner("linear", FEATURES)
    part, _ = teacher.fit("click", examples(6_000, 1), examples(2_000, 2), teacher.defaults, lambda _: None)
    model = teacher.model(dict.fromkeys(TARGETS, part))
    assert isinstance(model, Linear)
    weights = model.weights["click"]
    named = dict(zip(weights.columns, zip(weights.coefficients, weights.standard_errors, strict=True), strict=True))
    assert named["dense"][0] > 10 * named["dense"][1] > 0
    assert named["lexical is missing"][0] < -3 * named["lexical is missing"][1]
    assert abs(named["noise"][0]) < 4 * named["noise"][1]
    assert named["category=2"][0] > named["category=1"][0] + 0.4


# --- preparation, calibration, measures --------------------------------------------------------------------------


def test_outliers_are_clipped_to_what_training_saw() -> None:
    rows = examples(5_000, 1).matrix
    prepared = prepare(rows, NAMES, FEATURES.types)
    absurd = rows[:2].copy()
    absurd[0, 1], absurd[1, 0] = 1e30, -1e30
    assert np.abs(prepared.apply(absurd)).max() < 10
    columns = dict(zip(prepared.columns, prepared.apply(rows).T, strict=True))
    assert abs(columns["dense"].mean()) < 0.01
    assert columns["price"].std() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(columns["lexical is missing"], np.isnan(rows[:, 2]))
    assert "dense is missing" not in columns


def test_a_distorted_model_is_calibrated() -> None:
    class Distorted:
        def log_odds(self, matrix: NDArray[np.float32], target: str) -> NDArray[np.float64]:
            return 2.0 * truth(matrix) + 1.5

    found = calibrate(Distorted(), "click", examples(30_000, 1))  # type: ignore[arg-type]
    assert found.slope == pytest.approx(0.5, abs=0.08)
    assert found.intercept == pytest.approx(-0.75, abs=0.15)
    few = calibrate(Distorted(), "click", examples(300, 1))  # type: ignore[arg-type]
    assert found.slope < few.slope < 1
    assert Calibration(0.5, -0.75).probability(np.array([1.5]))[0] == pytest.approx(0.5)


def test_ndcg_of_groups() -> None:
    groups = np.array([1, 1, 2, 2, 3])
    gains = np.array([1, 0, 0, 1, 0])
    assert grouped_ndcg(groups, np.array([2.0, 1, 1, 2, 5]), gains) == pytest.approx(1)
    assert grouped_ndcg(groups, np.array([1.0, 2, 1, 2, 5]), gains) == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert np.isnan(grouped_ndcg(groups, np.ones(5), np.zeros(5)))


# --- tuning ------------------------------------------------------------------------------------------------------


def test_tuning_is_never_worse_than_the_defaults_and_prunes() -> None:
    teacher = learner("boosted", FEATURES)
    told: list[tuple[int, int]] = []
    found = tune(teacher, "click", examples(1_500, 1), examples(1_000, 2), 9, lambda *done: told.append(done))
    assert found.log_loss <= found.default_log_loss
    assert set(found.parameters) == set(teacher.defaults)
    assert told == [(done, 9) for done in range(1, 10)]
    assert found.pruned > 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_tuned(kind: str) -> None:
    teacher = learner(kind, FEATURES)
    study = optuna.create_study()
    assert set(teacher.suggest(study.ask())) == set(teacher.defaults)
