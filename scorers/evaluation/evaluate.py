"""Is the bundle's ranker better than its baselines, on campaigns and impressions that training never saw?

Every ranker orders the same candidates of a campaign. Orders are judged by the purchases that the campaign's keywords
brought, by the same among the keywords that it chose (not choosing a keyword then counts against nobody), and, where
the market's truth is known, by what each keyword was truly worth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from feature_repo.offline import training_vectors
from infra.failure import Failure
from infra.settings import Settings
from infra.steps import Steps
from scorers.evaluation.auctions import auction_terms, judge_auctions
from scorers.evaluation.gains import Gains, purchases_gained, successful, true_gains
from scorers.evaluation.heldout import HeldOut, check_nothing_leaked, held_out, similarities
from scorers.evaluation.impressions import held_out_impressions, judge_impressions
from scorers.evaluation.judgement import HEADLINE, judge, table
from scorers.evaluation.orders import Orders, all_orders
from scorers.evaluation.slices import by_slice
from scorers.evaluation.speed import megabytes, milliseconds
from scorers.evaluation.studies import Studies, recovered
from scorers.evaluation.targets import targets
from scorers.history import History
from scorers.keywords.embedded import EmbeddedKeywords
from scorers.ranking import bundle
from scorers.ranking.features import Floats, matrix
from scorers.ranking.model import KINDS
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import OnnxEncoder
from scorers.retrieval.judging.compared import TUNED, UNTUNED, compared
from scorers.retrieval.judging.real_text import real_text
from scorers.retrieval.judging.report import known_to_each, on_market, on_real_text
from scorers.retrieval.judging.truth import NoTruth
from scorers.retrieval.matching import Matcher
from scorers.suggestions.value import market
from scorers.training.dataset import facts_of, join_vectors
from scorers.training.examination import Examination
from scorers.training.ranker import live_items, rankers_folder
from streams.canonical import home_forms

SLICED = ("model", "popularity", "bm25", "similarity", "two_towers", "fused")
_ROWS = {UNTUNED: "similarity", TUNED: "two_towers"}


class NothingToJudge(Failure):
    """No held-out campaign. The text says why."""

    exit_code = 2


def evaluate(
    folder: Path,
    settings: Settings,
    steps: Steps,
    judged: Path | None = None,
    rivals: Mapping[str, Path] = {},
    studied: bool = False,
    ceiling: bool = False,
    catalogue: Path | None = None,
    towers: Path | None = None,
) -> dict[str, Any]:
    """Judge a bundle and the latest ranker of each kind on the history in `folder`.

    `judged`: the bundle, that of `settings` when left out. `rivals`: other bundles, by the name of their rows; one that
    was trained on later events than the bundle is left out, as it may have seen what it is judged by; so is one trained
    under another dictionary. `studied`: what the decisions of training are worth, too, where the truth is known; takes
    minutes. `ceiling`: what the same trees reach when taught the true probabilities. `catalogue`: products of a real
    shop, on whose words retrieval is judged. `towers`: a folder of exported towers; the bundle's own when left out,
    else those trained last.

    Returns:
        For each ranker and baseline `ndcg_at_10` and `mrr`, as judged by `judged_by` (true value if known, else
        purchases); `by_true_value`, `by_purchases`, `by_success` and `among_chosen`, each as `judge` gives it;
        `slices`; `impressions` (calibration, shown and never-shown pairs, cold start); `auctions` (P(shown));
        `retrieval` and `real_text` (every way to find keywords; None without a truth, a catalogue); `models` (speed);
        `targets`.

    Raises:
        EncoderError, WrongCatalogue: `towers` or `catalogue` can't be used.
        BundleRefused, BadHistory, NoFeatureLog: as their names say.
        NothingToJudge: no campaign was created after training ended, a day before the history's end.
    """
    history = History(folder, home_forms(settings))
    with steps.step("bundle"):
        made = bundle.load(judged or settings.bundle_path, settings)
        bundle.check_dictionary(made.manifest, history.canonical.version)
        bundles = {"model": made} | _rankers(settings, made.manifest, rivals)
        models = {name: one.models for name, one in bundles.items()}
        encoder = made.encoder()
        known = EmbeddedKeywords(*made.keywords())
    trained_until = made.manifest.trained_until
    with steps.step("candidates as of the end of training"):
        cases = held_out(history, trained_until, known, encoder, settings)
    if cases.rows.is_empty():
        raise NothingToJudge(
            f"{folder}: no campaign with a candidate was created after training ended and a day before the end"
        )
    with steps.step("encoders compared"):
        encoders = compared(settings, towers or _own_towers(encoder))
    embedded = known_to_each(history, encoders, settings, steps)
    with steps.step("similarities by each encoder"):
        columns = {
            f"encoder_{_ROWS[name]}": similarities(cases, history, one, embedded[name])
            for name, one in encoders.items()
        }
        cases = replace(cases, rows=cases.rows.with_columns(**columns))
    retrieval, words = None, None
    with suppress(NoTruth):
        retrieval = on_market(history, trained_until, encoders, embedded, settings, steps)
    if catalogue:
        with steps.step("real text"):
            words = on_real_text(real_text(catalogue), encoders, settings)
    with steps.step("features as of just before each campaign") as advance:
        sums = join_vectors(cases.rows, settings, lambda kind, done, total: advance(done, total))
        markets = _markets(cases, history, settings)
    check_nothing_leaked(cases.rows, sums, cases.campaigns)
    with steps.step("scores"):
        matcher = Matcher(encoder, KeywordCatalogue(known.keywords, known.vectors))
        vocabulary = made.manifest.vocabulary
        facts = facts_of(cases.rows, history, matcher, vocabulary, live_items(history.products))
        features = matrix(sums, facts, settings)
        rests_on = auction_terms(cases, sums, facts, history, trained_until, settings)
        shown = {name: one.manifest.impression_share.probability(rests_on) for name, one in bundles.items()}
        predictions = {name: (shown[name], *models[name].predict(features)) for name in models if name not in rivals}
        for name in rivals:
            if name in bundles:  # its codes of categories are its own
                own = facts_of(
                    cases.rows, history, matcher, bundles[name].manifest.vocabulary, live_items(history.products)
                )
                predictions[name] = (shown[name], *models[name].predict(matrix(sums, own, settings)))
    with steps.step("impressions since training ended"):
        looked = Examination(made.manifest.examination)
        held = held_out_impressions(history, trained_until, matcher, vocabulary, settings)
        same = {name: model for name, model in models.items() if name not in rivals}
        impressions = judge_impressions(held, same, looked, settings) if held else None
        share = made.manifest.impression_share
        auctions = judge_auctions(history, trained_until, share, looked, matcher, vocabulary, settings)
    studies: dict[str, Any] = {}
    if (studied or ceiling) and held and held.truth:
        made_studies = Studies(history, matcher, vocabulary, held, settings, steps)
        predictions["ceiling"] = (shown["model"], *made_studies.ceiling().predict(features))
        studies = made_studies.all() if studied else {}
    orders = all_orders(cases, sums, markets, predictions, settings)
    with steps.step("judgement"):
        texts = {canonical: keyword.text for canonical, keyword in cases.keywords.items()}
        verdicts, slices = _judged(history, cases, orders, texts, settings)
    if "ceiling" in predictions:
        true = true_gains(history.folder, cases.campaigns, texts)
        known_orders = [one for one in orders if one.campaign.campaign in true]
        studies["ceiling"] = recovered(table(known_orders, true)[0])
    judged_by = "by_true_value" if verdicts["by_true_value"]["campaigns"] else "by_purchases"
    report: dict[str, Any] = {
        name: {measure: row[measure]["mean"] for measure in HEADLINE}
        for name, row in verdicts[judged_by]["rows"].items()
    }
    report |= verdicts
    report |= {
        "judged_by": judged_by,
        "slices": slices,
        "impressions": impressions,
        "auctions": auctions,
        "studies": studies,
        "retrieval": msgspec.to_builtins(retrieval),
        "real_text": msgspec.to_builtins(words),
        "encoders": {"bundle": encoder.name} | {name: one.name for name, one in encoders.items()},
        "models": {
            name: {"version": one.manifest.model_version, "milliseconds": milliseconds(one.models, features)}
            for name, one in bundles.items()
        },
        "bundle_megabytes": megabytes(made.folder),
        "candidates": len(cases.rows),
        "trained_until": trained_until,
        "model_version": made.manifest.model_version,
        "examination_decay": looked.decay,
    }
    report["targets"] = targets(report)
    return report


def _own_towers(encoder: OnnxEncoder) -> Path | None:
    return encoder.folder if encoder.has_towers else None


def _rankers(settings: Settings, judged: bundle.Manifest, rivals: Mapping[str, Path]) -> dict[str, bundle.Bundle]:
    """The latest ranker of each kind that was trained on the same part of the history, and the rivals."""
    until, dictionary = judged.trained_until, judged.dictionary
    kinds = {kind: rankers_folder(settings) / kind for kind in KINDS}
    found = {name: bundle.load(folder, settings) for name, folder in kinds.items() if folder.exists()}
    same = {name: one for name, one in found.items() if one.manifest.trained_until == until}
    others = {name: bundle.load(folder, settings) for name, folder in rivals.items()}
    earlier = {name: one for name, one in others.items() if one.manifest.trained_until <= until}
    return {name: one for name, one in (same | earlier).items() if one.manifest.dictionary == dictionary}


def _knowing(one: Orders, own: Gains) -> Orders:
    """With the order by true value as a ranker: what purchases make of the truth tells what they can tell at all."""
    values = [own.of_concept.get(concept, 0.0) for concept in own.concepts(one.canonicals)]
    return replace(one, scores=one.scores | {"true_value": np.array(values)})


def _judged(
    history: History, cases: HeldOut, orders: Sequence[Orders], texts: Mapping[str, str], settings: Settings
) -> tuple[dict[str, Any], dict[str, Any]]:
    window = settings.attribution_window_ms
    bought = purchases_gained(history, cases.campaigns, window)
    true = true_gains(history.folder, cases.campaigns, texts)
    winners = successful(history, cases.campaigns, window)
    informed = [_knowing(one, true[one.campaign.campaign]) for one in orders if one.campaign.campaign in true] or orders
    judged = {
        "by_true_value": judge(orders, true),
        "by_purchases": judge(informed, bought),
        "by_success": judge(informed, {name: own for name, own in bought.items() if name in winners}),
        "among_chosen": judge(informed, bought, chosen_only=True),
    }
    products = {product.item: product for product in history.products}
    gains: Mapping[str, Gains] = true or bought
    held = orders[0].scores if orders else {}
    return judged, by_slice(orders, gains, products, [name for name in SLICED if name in held])


def _markets(cases: HeldOut, history: History, settings: Settings) -> dict[str, Floats]:
    """For each campaign the market's sums (V) just before it was created."""
    categories = sorted(set(history.impressions.get_column("category").unique()))
    asked = pl.DataFrame(
        {
            "event_timestamp": [one.starts_at - 1 for one in cases.campaigns for _ in categories],
            "category": categories * len(cases.campaigns),
        }
    )
    sums = training_vectors(asked, settings)["category"].reshape(len(cases.campaigns), len(categories), -1)
    return {one.campaign: market(of_market) for one, of_market in zip(cases.campaigns, sums, strict=True)}


def evaluate_command(
    folder: Path, out: Path, studied: bool, ceiling: bool, catalogue: Path | None, towers: Path | None
) -> None:
    """`keypulse evaluate --history`."""
    from infra.stack.state import settings

    made = evaluate(folder, settings(), Steps(), studied=studied, ceiling=ceiling, catalogue=catalogue, towers=towers)
    present(made, out)


def present(report: dict[str, Any], out: Path) -> None:
    """Write the report with its pages, and say what it comes to."""
    from scorers.evaluation.report import write_report

    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1))
    pages = write_report(report, out)
    for judged_by in ("by_true_value", "by_purchases"):
        judged = report[judged_by]
        if judged["campaigns"]:
            print(f"{judged_by.replace('_', ' ')}, {judged['campaigns']} campaigns:")
            for name, row in judged["rows"].items():
                print("  " + f"{name:22} " + "   ".join(_figure(label, row[label]) for label in HEADLINE))
    for one in report["targets"]:
        print(f"{'met   ' if one['met'] else 'MISSED'} {_target(one)}")
    met = [one["met"] for one in report["targets"]]
    print(f"{sum(met)} of {len(met)} targets met; {out}, {', '.join(str(page) for page in pages)} written")


def _figure(label: str, figure: dict[str, float]) -> str:
    return f"{label} {figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _target(one: dict[str, Any]) -> str:
    interval = "" if one["low"] is None else f" ({one['low']:.3f} to {one['high']:.3f})"
    return f"{one['name']}: {one['figure']:.3f}{interval}, wanted {one['wanted']}"
