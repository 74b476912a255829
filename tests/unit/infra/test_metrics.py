"""A metric that is declared is also set: a panel or an alert on one that nobody sets is silent for ever."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from infra import metrics

ROOT = Path(__file__).parents[3]
DECLARED = sorted(name for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase))
SETTING = {"inc", "set", "observe", "time"}


def names_set(source: str) -> Iterator[str]:
    """Metrics (`metrics.NAME` or `NAME`, with or without labels) on which the source calls what sets them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in SETTING:
            target = node.value
            if isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute) and target.func.attr == "labels":
                target = target.func.value
            if isinstance(target, ast.Attribute):
                yield target.attr
            elif isinstance(target, ast.Name):
                yield target.id


SET = {
    name
    for floor in ("infra", "feature_repo", "streams", "scorers")
    for path in (ROOT / floor).rglob("*.py")
    for name in names_set(path.read_text())
}


@pytest.mark.parametrize("name", DECLARED)
def test_every_metric_is_set_somewhere(name: str) -> None:
    assert name in SET


def test_a_metric_that_is_only_mentioned_is_not_set() -> None:
    assert list(names_set("metrics.A.labels('x')\nprint(metrics.B)")) == []
    assert set(names_set("metrics.A.labels('x').inc()\nC.observe(1)")) == {"A", "C"}
