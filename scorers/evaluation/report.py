"""The report for people: one Markdown page, one HTML page with plots, from the same tables."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from scorers.evaluation.judgement import HEADLINE, MEASURES
from scorers.evaluation.orders import ENCODERS, SOURCES
from scorers.retrieval.judging.real_retrieval import TOLERATED

_NAMES = {
    "model": "ranker in use, by value",
    "model_by_probability": "ranker in use, by probability alone",
    "linear": "linear, by value",
    "boosted": "boosted, by value",
    "neural": "neural, by value",
    "popularity_in_category": "popularity in category",
    "fused": "fused retrieval",
    "oracle": "oracle over the candidates",
    "true_value": "order by true value",
    "ceiling": "ceiling, by value",
    **ENCODERS,
    **SOURCES,
}
_JUDGED = {
    "by_true_value": "By true value (the market's own expected purchases)",
    "by_purchases": "By attributed purchases (campaigns with any)",
    "by_success": "By attributed purchases, successful campaigns",
    "among_chosen": "By attributed purchases, among the keywords that the campaign chose",
}
_STYLE = """:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--line:#ddd;--miss:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181c;--line:#3a3d42;--miss:#ff8a80}}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:var(--ink)}
html{background:var(--paper)}
table{border-collapse:collapse;margin:.6rem 0 1.4rem;display:block;overflow-x:auto;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}td b{color:var(--miss)}
img{max-width:100%;background:#fff;border-radius:6px}h2{margin-top:2.2rem}"""


@dataclass(frozen=True)
class Section:
    """A heading, a sentence, tables with their headers, and plots."""

    title: str
    text: str = ""
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]] = ()
    plots: Sequence[plt.Figure] = ()


def write_report(report: dict[str, Any], beside: Path) -> list[Path]:
    """Write the pages beside the JSON report; their paths."""
    sections = _sections(report)
    markdown, page = beside.with_suffix(".md"), beside.with_suffix(".html")
    title = f"Keypulse evaluation: {report['model_version']}"
    markdown.write_text(f"# {title}\n\n" + "\n\n".join(_markdown(one) for one in sections) + "\n")
    body = "\n".join(_html(one) for one in sections)
    page.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>\n{body}</html>\n"
    )
    for section in sections:
        for figure in section.plots:
            plt.close(figure)
    return [markdown, page]


def _sections(report: dict[str, Any]) -> list[Section]:
    found = [*_real_text(report), _targets(report)]
    found += [_orders(report[name], title) for name, title in _JUDGED.items() if report[name]["campaigns"]]
    found += [
        *_retrieval(report),
        _slices(report),
        *_auctions(report),
        *_impressions(report),
        *_studies(report),
        _models(report),
    ]
    return found


def _targets(report: dict[str, Any]) -> Section:
    rows = [
        (one["name"], _number(one["figure"]), _interval(one), one["wanted"], _yes(one["met"]))
        for one in report["targets"]
    ]
    return Section("Targets", tables=[(("target", "figure", "95 % interval", "wanted", "met"), rows)])


def _real_text(report: dict[str, Any]) -> list[Section]:
    """What other people's words say comes first: that is what no market that we made up can tell."""
    if not (judged := report.get("real_text")):
        return []
    ahead = [
        (name, _number(one["mean"], 4), f"{one['low']:.4f} to {one['high']:.4f}", _yes(one["low"] >= -TOLERATED))
        for name, one in judged["tuned_minus_untuned"].items()
    ]
    return [
        Section(
            "On real text",
            f"{judged['products']:.0f} products of a shop and {judged['keywords']:.0f} keywords made of its "
            "category names, brands and specifications. A retriever sees title and price alone. Intervals by a "
            "bootstrap over brands.",
            [
                _found(judged["rows"]),
                (("MRR, two towers less the untuned model", "by", "95 % interval", "not worse"), ahead),
            ],
        )
    ]


def _retrieval(report: dict[str, Any]) -> list[Section]:
    if not (judged := report.get("retrieval")):
        return []
    lost = [
        (name, _estimate(one["recall_without"]), _estimate(one["lost"]))
        for name, one in judged["contributions"].items()
    ]
    return [
        Section(
            "Retrieval: share of the true best 50 keywords found",
            f"{judged['items']} items of held-out campaigns, {judged['keywords']:.0f} keywords. Fused: as served. "
            "With the bundle's encoder it is the pool that the rankers above order.",
            [_found(judged["rows"]), (("fused without", "recall@200", "lost"), lost)],
        )
    ]


def _found(rows: dict[str, Any]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    measures = list(next(iter(rows.values())))
    return ("found by", *measures), [(name, *(_estimate(row[one]) for one in measures)) for name, row in rows.items()]


def _orders(judged: dict[str, Any], title: str) -> Section:
    measures = (*MEASURES, "coverage_at_10")
    ranked = sorted(judged["rows"].items(), key=lambda row: -row[1]["ndcg_at_10"]["mean"])
    rows = [(_name(ranker), *(_estimate(row[measure]) for measure in measures)) for ranker, row in ranked]
    split = [
        (
            _name(ranker),
            *(f"{_estimate(row[one])} (n {row[one]['n']})" for one in ("mrr_of_one_keyword", "ndcg_at_10_of_several")),
        )
        for ranker, row in ranked
    ]
    pairs = [
        (
            one["measure"].replace("_", " "),
            _name(one["better"]),
            _name(one["worse"]),
            _number(one["mean"]),
            _interval(one),
            _number(one["p"]) if one["p"] >= 0.001 else "< 0.001",
        )
        for one in judged["pairs"]
    ]
    return Section(
        title,
        f"{judged['campaigns']} held-out campaigns, each as of just before it was created. "
        "95 % intervals in brackets, by a bootstrap over campaigns.",
        [
            (("ranker", *(measure.replace("_", " ") for measure in measures)), rows),
            (("ranker", "MRR where one keyword gained", "NDCG@10 where several did"), split),
            (("measure", "ahead", "of", "by", "95 % interval", "p (sign flips)"), pairs),
        ],
        [_bars(ranked, title)],
    )


def _bars(ranked: Sequence[tuple[str, dict[str, Any]]], title: str) -> plt.Figure:
    figure, axes = plt.subplots(1, len(HEADLINE), figsize=(13, 0.42 * len(ranked) + 1.2), sharey=True)
    names = [_name(ranker) for ranker, _ in ranked][::-1]
    for axis, measure in zip(axes, HEADLINE, strict=True):
        estimates = [row[measure] for _, row in ranked][::-1]
        means = [one["mean"] for one in estimates]
        spread = [[one["mean"] - one["low"] for one in estimates], [one["high"] - one["mean"] for one in estimates]]
        axis.barh(names, means, xerr=spread, color="#4878a8", ecolor="#222", capsize=2)
        axis.set_title(measure.replace("_", " "))
        axis.set_xlim(0, 1)
    figure.suptitle(title)
    figure.tight_layout()
    return figure


def _slices(report: dict[str, Any]) -> Section:
    tables = []
    for slice_name, values in report["slices"].items():
        rankers = list(next(iter(values.values())))
        rows = [
            (value, str(next(iter(row.values()))["n"]), *(_estimate(row[ranker]) for ranker in rankers))
            for value, row in values.items()
        ]
        tables.append(((slice_name, "campaigns", *map(_name, rankers)), rows))
    return Section("Slices: NDCG@10", "Keyword tiers: head, torso and tail make a third of the searches each.", tables)


def _auctions(report: dict[str, Any]) -> list[Section]:
    rows = [
        (weights, f"{one['campaigns']:.0f}", *(_number(one[measure], 4) for measure in list(one)[1:]))
        for weights, one in report["auctions"].items()
    ]
    header = ("weights", "campaigns shown", "observed / predicted", "log loss a page", "NDCG@10 of impressions")
    text = "Keywords that sellers chose for campaigns created since training ended, and how often they were shown."
    return [Section("P(shown)", text, [(header, rows)])] if rows else []


def _impressions(report: dict[str, Any]) -> list[Section]:
    if not report["impressions"]:
        return [Section("Impressions since training ended", "None is old enough for its outcome to be known.")]
    found = []
    for target, given in (("click", "P(click)"), ("purchase", "P(purchase | click)")):
        rows = [
            (
                _name(ranker), label, str(one["rows"]), str(one["positives"]), _number(one["log_loss"], 4),
                _number(one["auc"]), _number(one["ndcg"]), _estimate(one["observed_to_predicted"]),
                *_true(one.get("truth")),
            )
            for ranker, of_ranker in report["impressions"].items()
            for label, one in of_ranker[target].items()
        ]  # fmt: skip
        header = (
            *("ranker", "rows", "n", "positives", "log loss", "AUC", "NDCG@10 of items", "observed / predicted"),
            *("divergence from truth", "rank correlation", "true / given"),
        )
        found.append(
            Section(
                f"{given} on impressions since training ended",
                f"Judged at the logged position (looked at: position ** -{report['examination_decay']:.3f}); truth is "
                "for the reference position.",
                [(header, rows)],
                [_reliability(report["impressions"], target, given)],
            )
        )
    return found


def _true(truth: dict[str, float] | None) -> tuple[str, str, str]:
    if truth is None:
        return ("", "", "")
    return _number(truth["divergence"], 4), _number(truth["rank_correlation"]), _number(truth["true_to_given"])


def _reliability(impressions: dict[str, Any], target: str, given: str) -> plt.Figure:
    figure, axis = plt.subplots(figsize=(6, 5))
    for ranker, of_ranker in impressions.items():
        if "all" in of_ranker[target]:
            deciles = of_ranker[target]["all"]["deciles"]
            axis.plot(
                [one["predicted"] for one in deciles], [one["observed"] for one in deciles], "o-", label=_name(ranker)
            )
    most = axis.get_xlim()[1]
    axis.plot([0, most], [0, most], ":", color="grey")
    axis.set_xlabel("predicted")
    axis.set_ylabel("observed")
    axis.set_title(f"{given}, deciles of prediction")
    axis.legend()
    figure.tight_layout()
    return figure


def _studies(report: dict[str, Any]) -> list[Section]:
    found = []
    for name, study in report.get("studies", {}).items():
        rows = [(label, *(_number(value, 4) for value in row.values())) for label, row in study["rows"].items()]
        header = ("", *next(iter(study["rows"].values())))
        found.append(Section(name.replace("_", " ").capitalize(), study["text"], [(header, rows)]))
    return found


def _models(report: dict[str, Any]) -> Section:
    rows = [
        (_name(name), one["version"], *(_number(value, 2) for value in one["milliseconds"].values()))
        for name, one in report["models"].items()
    ]
    header = ("ranker", "version", "ms for 1 row", "200 rows", "12,800 rows")
    return Section("Speed", f"One thread. The bundle is {report['bundle_megabytes']:.0f} MB.", [(header, rows)])


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"


def _name(ranker: str) -> str:
    return _NAMES.get(ranker, ranker)


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _interval(figure: dict[str, Any]) -> str:
    return f"{figure['low']:.3f} to {figure['high']:.3f}" if figure.get("low") is not None else ""


def _estimate(figure: dict[str, Any]) -> str:
    if figure["mean"] is None:
        return ""
    interval = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure['mean']:.3f}{interval}"


def _markdown(section: Section) -> str:
    parts = [f"## {section.title}"]
    if section.text:
        parts.append(section.text)
    for header, rows in section.tables:
        cells = [[cell.replace("|", r"\|") for cell in row] for row in (header, *rows)]
        lines = [" | ".join(cells[0]), " | ".join(["---"] * len(header)), *(" | ".join(row) for row in cells[1:])]
        parts.append("\n".join(f"| {line} |" for line in lines))
    return "\n\n".join(parts)


def _html(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>", f"<p>{html.escape(section.text)}</p>" if section.text else ""]
    for header, rows in section.tables:
        head = "".join(f"<th>{html.escape(cell)}" for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}" for cell in row) for row in rows)
        parts.append(f"<table><thead><tr>{head}</thead><tbody>{body}</tbody></table>")
    parts += [
        f'<img alt="{html.escape(section.title)}" src="data:image/png;base64,{_png(one)}">' for one in section.plots
    ]
    return "\n".join(parts)


def _cell(cell: str) -> str:
    return f"<b>{html.escape(cell.strip('*'))}</b>" if cell.startswith("**") else html.escape(cell)


def _png(figure: plt.Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return base64.b64encode(buffer.getvalue()).decode()
