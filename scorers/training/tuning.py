"""Search of hyperparameters: the same number of trials for every kind of model, hopeless ones ended early.

Trials are judged on the rows that also end a training, rankers by their log loss; held-out campaigns and impressions
take no part. Sampler: TPE (Bergstra et al., NeurIPS 2011); pruning: a trial worse than the median of the others at the
same round ends (Golovin et al., "Google Vizier", KDD 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import optuna

from scorers.training.examples import Examples
from scorers.training.learners.learner import Learner, Parameters
from scorers.training.measures import Round

_SEED = 7
_UNPRUNED = 5
"""The first trials run to their end: nothing is known to compare with."""

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Tuned:
    """What a search found for a target."""

    parameters: Parameters
    log_loss: float
    """On validation."""
    default_log_loss: float
    """With the defaults, which are the first trial."""
    trials: int
    pruned: int


def tune(
    teacher: Learner,
    target: str,
    training: Examples,
    validation: Examples,
    trials: int,
    tell: Told = lambda done, most: None,
) -> Tuned:
    """The best of `trials` hyperparameters. The defaults are always one of them, so that nothing gets worse.

    Raises:
        CannotLearn: training or validation rows hold one class only.
    """

    def objective(trial: Any) -> float:
        def watch(done: Round) -> None:
            end_if_hopeless(trial, done.validation.log_loss, done.number)

        _, curve = teacher.fit(target, training, validation, teacher.suggest(trial), watch)
        return curve.best.validation.log_loss

    study = searched(objective, teacher.defaults, trials, tell)
    pruned = sum(trial.state is optuna.trial.TrialState.PRUNED for trial in study.trials)
    return Tuned(
        {**teacher.defaults, **study.best_params}, study.best_value, float(study.trials[0].value), trials, pruned
    )


def searched(
    objective: Callable[[Any], float],
    defaults: Mapping[str, Any],
    trials: int,
    tell: Told,
    direction: Literal["minimize", "maximize"] = "minimize",
) -> optuna.Study:
    """The study after `trials`, of which the defaults are the first. `objective` asks its trial for parameters."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction=direction,
        sampler=optuna.samplers.TPESampler(seed=_SEED),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=_UNPRUNED),
    )
    study.enqueue_trial(dict(defaults))
    study.optimize(objective, n_trials=trials, callbacks=[lambda _, trial: tell(trial.number + 1, trials)])
    return study


def end_if_hopeless(trial: Any, figure: float, at: int) -> None:
    """Say where a trial stands after round or epoch `at`.

    Raises:
        optuna.TrialPruned: it is worse than the median of those before.
    """
    trial.report(figure, at)
    if trial.should_prune():
        raise optuna.TrialPruned
