"""Logistic regression when a row may not have been looked at: maximum likelihood, and how sure its weights are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from scorers.training.examples import Floats

MOST_STEPS = 100

_ENOUGH = 1e-7
"""The search ends when a step improves the mean loss by less than this share."""


@dataclass(frozen=True)
class Logistic:
    """k coefficients and an intercept."""

    coefficients: Floats
    intercept: float
    covariance: Floats
    """(k + 1) x (k + 1), the intercept last; robust (sandwich), since rows are weighted."""


def logistic(
    columns: Floats,
    labels: NDArray[np.bool_],
    weights: NDArray[np.floating],
    examined: Floats,
    penalty: float,
    tell: Callable[[Floats], None] = lambda parameters: None,
) -> Logistic:
    """P(label) = examined x sigmoid(columns x coefficients + intercept), fitted to n weighted rows.

    With `examined` 1 it is plain logistic regression. `penalty` x sum of squared coefficients / 2 is added to the sum
    of losses. `tell` is told the parameters, intercept last, after each step (L-BFGS).

    Covariance: White, "Maximum likelihood estimation of misspecified models", Econometrica 50(1), 1982.
    """
    rows = np.hstack([columns, np.ones((len(columns), 1))])
    ridge = np.append(np.full(columns.shape[1], penalty), 0.0)
    total = float(np.sum(weights))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        relevance = 1.0 / (1.0 + np.exp(-(rows @ parameters)))
        predicted = np.clip(examined * relevance, 1e-12, 1 - 1e-12)
        losses = np.where(labels, -np.log(predicted), -np.log1p(-predicted))
        slopes = weights * (predicted - labels) * (1 - relevance) / (1 - predicted)
        penalised = float(np.dot(weights, losses) + np.dot(ridge, parameters**2) / 2)
        return penalised / total, (rows.T @ slopes + ridge * parameters) / total

    found = minimize(
        loss,
        np.zeros(rows.shape[1]),
        jac=True,
        method="L-BFGS-B",
        callback=tell,
        options={"maxiter": MOST_STEPS, "ftol": _ENOUGH},
    ).x
    relevance = 1.0 / (1.0 + np.exp(-(rows @ found)))
    predicted = np.clip(examined * relevance, 1e-12, 1 - 1e-12)
    curvature = weights * predicted * (1 - relevance) ** 2 / (1 - predicted)
    slopes = weights * (predicted - labels) * (1 - relevance) / (1 - predicted)
    bread = np.linalg.pinv(rows.T @ (rows * curvature[:, None]) + np.diag(ridge))
    filling = rows.T @ (rows * (slopes**2)[:, None])
    return Logistic(found[:-1], float(found[-1]), np.asarray(bread @ filling @ bread))
