"""Search of the towers' hyperparameters: as many trials as a ranker gets, hopeless ones ended early.

Trials are judged by what ends a training: recall@100 of the later pairs. `pull` is not searched, as those pairs can't
tell what it is for: words that mean something else elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from scorers.training.towers.checkpoint import Epoch
from scorers.training.towers.fitting import Fitting, Options
from scorers.training.towers.model import Towers
from scorers.training.towers.pairs import TowerData
from scorers.training.towers.texts import TowerInputs
from scorers.training.tuning import Told, end_if_hopeless, searched

_FARTHEST = 4
"""Times and parts of the default learning rate between which it is searched."""
_MOST_HARD = 8


@dataclass(frozen=True)
class TunedTowers:
    """What a search found."""

    options: Options
    recall_at_100: float
    """On validation."""
    default_recall_at_100: float
    """With the options given, which are the first trial."""


def tuned(
    towers: Towers, data: TowerData, inputs: TowerInputs, options: Options, trials: int, tell: Told
) -> TunedTowers:
    """The best of `trials` learning rates, batches and numbers of hard negatives; `towers` stay as they are."""
    start = {name: value.detach().clone() for name, value in towers.state_dict().items()}

    def objective(trial: Any) -> float:
        def watch(done: Epoch) -> None:
            end_if_hopeless(trial, done.recall_at_100, done.epoch)

        tried = replace(
            options,
            rate=trial.suggest_float("rate", options.rate / _FARTHEST, options.rate * _FARTHEST, log=True),
            batch=trial.suggest_categorical("batch", [options.batch // 2, options.batch, options.batch * 2]),
            hard=trial.suggest_int("hard", 0, _MOST_HARD),
        )
        towers.load_state_dict(start)
        return Fitting(towers, data, inputs, tried).run(tell=watch).best.recall_at_100

    given = {"rate": options.rate, "batch": options.batch, "hard": options.hard}
    study = searched(objective, given, trials, tell, "maximize")
    towers.load_state_dict(start)
    return TunedTowers(replace(options, **study.best_params), study.best_value, float(study.trials[0].value))
