"""Plots as SVG whose colours are the page's, so that they turn dark with it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib

from scorers.experiments.estimates import Estimate, Interval

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_INK, _QUIET, _ACCENT, _SECOND = "#010101", "#020202", "#030303", "#040404"
_OF_PAGE = {_INK: "var(--ink)", _QUIET: "var(--quiet)", _ACCENT: "var(--accent)", _SECOND: "var(--second)"}
"""Stand-ins that matplotlib draws with, and the page's own colours."""


def effect_plot(estimates: Sequence[tuple[str, Estimate]], planned: float | None, margin: float) -> str:
    """Relative effect and interval of each metric; where the plan's effect and the guardrail's margin lie."""
    figure, axes = _axes(height=0.9 + 0.42 * len(estimates))
    names = [name for name, _ in estimates]
    for place, (_, one) in enumerate(estimates):
        interval = one.relative
        low, high = (value if math.isfinite(value) else interval.value for value in (interval.low, interval.high))
        axes.plot([100 * low, 100 * high], [place, place], color=_ACCENT, linewidth=2.5, solid_capstyle="round")
        axes.plot([100 * interval.value], [place], "o", color=_ACCENT, markersize=6)
        if one.metric.name == "campaigns_created":
            axes.plot([-100 * margin], [place], "|", color=_SECOND, markersize=18, markeredgewidth=2)
            axes.annotate("margin", (-100 * margin, place - 0.32), color=_SECOND, fontsize=8, ha="center")
    axes.axvline(0, color=_INK, linewidth=1)
    if planned is not None:
        axes.axvline(100 * planned, color=_SECOND, linewidth=1, linestyle="--")
        axes.annotate("planned", (100 * planned, -0.6), color=_SECOND, fontsize=8, ha="center", va="bottom")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("treatment against control, %")
    return _svg(figure, "effects")


def day_plot(by_day: Sequence[tuple[int, Interval]], planned: float, percent: bool, unit: str) -> str:
    """The effect when only the first so many days after exposure count."""
    figure, axes = _axes(height=2.6)
    scale = 100 if percent else 1
    days = [day for day, _ in by_day]
    axes.fill_between(
        days,
        [scale * one.low for _, one in by_day],
        [scale * one.high for _, one in by_day],
        color=_ACCENT,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(days, [scale * one.value for _, one in by_day], "-o", color=_ACCENT, markersize=3.5)
    axes.axhline(0, color=_INK, linewidth=1)
    axes.axhline(scale * planned, color=_SECOND, linewidth=1, linestyle="--")
    axes.annotate("planned", (days[-1], scale * planned), color=_SECOND, fontsize=8, ha="right", va="bottom")
    axes.set_xlabel("days after exposure")
    axes.set_ylabel(f"effect, {unit}")
    return _svg(figure, "days")


def power_plot(effects: Sequence[float], powers: Sequence[float], planned: float, wanted: float, unit: str) -> str:
    """The chance of finding each effect."""
    figure, axes = _axes(height=2.6)
    axes.plot([100 * effect for effect in effects], [100 * power for power in powers], color=_ACCENT, linewidth=2)
    axes.axhline(100 * wanted, color=_QUIET, linewidth=1, linestyle=":")
    axes.axvline(100 * planned, color=_SECOND, linewidth=1, linestyle="--")
    axes.annotate("planned", (100 * planned, 92), (4, 0), textcoords="offset points", color=_SECOND, fontsize=8)
    axes.set_ylim(0, 102)
    axes.set_xlabel(f"true effect, {unit}")
    axes.set_ylabel("power, %")
    return _svg(figure, "power")


def funnel_plot(steps: dict[str, dict[str, int]]) -> str:
    """How many units of each arm came how far."""
    names = list(next(iter(steps.values())))
    figure, axes = _axes(height=0.8 + 0.28 * len(names) * len(steps))
    height = 0.8 / len(steps)
    for place, (arm, counts) in enumerate(steps.items()):
        at = [row + (place - (len(steps) - 1) / 2) * height for row in range(len(names))]
        values = [counts[name] for name in names]
        colour = (_QUIET, _ACCENT, _SECOND)[min(place, 2)]
        axes.barh(at, values, height=0.9 * height, color=colour, label=arm)
        for row, value in zip(at, values, strict=True):
            axes.annotate(f" {value:,}", (value, row), va="center", fontsize=8, color=_INK)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("units")
    axes.margins(x=0.1)
    axes.legend(frameon=False, fontsize=8, labelcolor=_INK, loc="lower right")
    return _svg(figure, "funnel")


def _axes(height: float) -> tuple[Any, Any]:
    figure, axes = plt.subplots(figsize=(7.4, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(_QUIET)
    axes.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=9)
    axes.xaxis.label.set_color(_QUIET)
    axes.yaxis.label.set_color(_QUIET)
    return figure, axes


def _svg(figure: Any, salt: str) -> str:
    """The figure as an `<svg>` element; ids are its own, for several stand in one page."""
    out = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for drawn, colour in _OF_PAGE.items():
        text = text.replace(drawn, colour)
    text = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{salt}-", text)
    return re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", text)
