"""Every way to find keywords, judged by a simulated market's truth and on real text."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from infra.settings import Settings
from infra.steps import Steps
from scorers.history import History
from scorers.keywords.embedded import EmbeddedKeywords, embedded_keywords
from scorers.retrieval.encoders import OnnxEncoder, catalogue_encoder
from scorers.retrieval.judging.compared import TUNED, UNTUNED
from scorers.retrieval.judging.fields import tried_on_market, tried_on_real_text
from scorers.retrieval.judging.market import DEPTHS, RetrievalAsOf
from scorers.retrieval.judging.measures import Estimate, estimate
from scorers.retrieval.judging.real_retrieval import Ranked, not_worse, ranked_by_sources
from scorers.retrieval.judging.real_text import RealText

Rows = dict[str, dict[str, Estimate]]


class Contribution(msgspec.Struct, frozen=True):
    """What the fused list owes to one source."""

    recall_without: Estimate
    lost: Estimate
    """Recall of all sources - recall without it, item by item."""


class OnMarket(msgspec.Struct, frozen=True):
    """By the simulator's truth. Recall is of each item's truly best 50 concepts."""

    items: int
    keywords: int
    as_of: int
    """ms; nothing later is known to any row."""
    rows: Rows
    contributions: dict[str, Contribution]
    """Of each source to the fused list with the tuned encoder, if there is one."""
    tuned_minus_untuned: dict[str, Estimate]
    fields: Rows
    """Empty when they were not tried."""


class OnRealText(msgspec.Struct, frozen=True):
    """On a catalogue that has nothing to do with the market; title and price are all that a retriever sees."""

    products: int
    keywords: int
    rows: Rows
    tuned_minus_untuned: dict[str, Estimate]
    """MRR of the towers, and of the fused list with them, less the same untuned."""
    not_worse: dict[str, bool]
    """Whether each lower bound is above the tolerated loss."""
    fields: Rows


def known_to_each(
    history: History, encoders: Mapping[str, OnnxEncoder], settings: Settings, steps: Steps
) -> dict[str, EmbeddedKeywords]:
    """The history's keywords as each encoder embeds them."""
    found = {}
    for name, encoder in encoders.items():
        with steps.step(f"keywords embedded, {name}") as advance:
            folder = settings.home / "judging" / encoder.name
            found[name] = embedded_keywords(
                history, catalogue_encoder(encoder), folder, advance, settings.min_distinct_shoppers
            )
    return found


def on_market(
    history: History,
    until: int,
    encoders: Mapping[str, OnnxEncoder],
    known: Mapping[str, EmbeddedKeywords],
    settings: Settings,
    steps: Steps,
    fields: bool = False,
) -> OnMarket:
    """By the market's truth, as of `until`. `fields`: what each field of the product's text is worth, too.

    Raises:
        NoTruth: the history knows none.
    """
    judged: dict[str, RetrievalAsOf] = {}
    for name, encoder in encoders.items():
        with steps.step(f"market: {name}"):
            judged[name] = RetrievalAsOf(history, until, known[name], encoder, settings)
    untuned, best = judged[UNTUNED], judged[list(judged)[-1]]
    items = best.items
    rows = {name: items.estimates(lists) for name, lists in best.baselines.items()}
    rows |= {name: items.estimates(lists) for name, lists in untuned.lists.items() if name != "dense"}
    rows |= {name: items.estimates(one.lists["dense"]) for name, one in judged.items()}
    rows |= {f"fused, {name}": items.estimates(one.fused()) for name, one in judged.items()}
    gained = {
        f"recall@{at}": estimate(
            items.recalls(best.lists["dense"], at) - items.recalls(untuned.lists["dense"], at), items.campaigns
        )
        for at in DEPTHS
    }
    tried: Rows = {}
    if fields:
        with steps.step("market: fields of the product text"):
            tried = tried_on_market(items, untuned.catalogue, encoders[UNTUNED])
    return OnMarket(
        items=len(items.requests),
        keywords=len(best.catalogue),
        as_of=until,
        rows=rows,
        contributions=_contributions(best),
        tuned_minus_untuned=gained if len(judged) > 1 else {},
        fields=tried,
    )


def _contributions(judged: RetrievalAsOf) -> dict[str, Contribution]:
    items = judged.items
    whole = items.recalls(judged.fused(), DEPTHS[-1])
    found = {}
    for name in judged.lists:
        without = items.recalls(judged.fused(without=name), DEPTHS[-1])
        found[name] = Contribution(estimate(without, items.campaigns), estimate(whole - without, items.campaigns))
    return found


def on_real_text(
    real: RealText, encoders: Mapping[str, OnnxEncoder], settings: Settings, fields: bool = False
) -> OnRealText:
    """On a catalogue's words. `fields`: as in `on_market`."""
    ranked = {
        name: ranked_by_sources(real, encoder, catalogue_encoder(encoder), settings)
        for name, encoder in encoders.items()
    }
    untuned = ranked[UNTUNED]
    rows = {name: one.estimates() for name, one in untuned.items() if name not in ("dense", "fused")}
    rows |= {name: of["dense"].estimates() for name, of in ranked.items()}
    rows |= {f"fused, {name}": of["fused"].estimates() for name, of in ranked.items()}
    differences: dict[str, Estimate] = {}
    held: dict[str, bool] = {}
    if TUNED in ranked:
        pairs: dict[str, tuple[Ranked, Ranked]] = {
            "towers": (ranked[TUNED]["dense"], untuned["dense"]),
            "fused": (ranked[TUNED]["fused"], untuned["fused"]),
            "fused, less the untuned model alone": (ranked[TUNED]["fused"], untuned["dense"]),
        }
        for name, (new, old) in pairs.items():
            differences[name], held[name] = not_worse(new, old)
    return OnRealText(
        products=len(real.products),
        keywords=len(real.texts),
        rows=rows,
        tuned_minus_untuned=differences,
        not_worse=held,
        fields=tried_on_real_text(real, encoders[UNTUNED]) if fields else {},
    )
