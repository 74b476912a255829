"""`keypulse retrieval evaluate`: every retriever by the simulator's truth and on real text, as JSON and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from infra.settings import Settings
from infra.steps import Steps
from scorers.history import History
from scorers.keywords.embedded import embedded_keywords
from scorers.retrieval.encoders import DEFAULT_MODEL, OnnxEncoder
from scorers.retrieval.export import ensure_export
from scorers.retrieval.judging.fields import tried_on_market, tried_on_real_text
from scorers.retrieval.judging.market import DEPTHS, JudgedItems, Lists, RetrievalAsOf
from scorers.retrieval.judging.measures import Estimate, estimate
from scorers.retrieval.judging.real_retrieval import Ranked, not_worse, ranked_by_sources
from scorers.retrieval.judging.real_text import RealText, real_text
from scorers.training.towers.run import held_out_from, towers_folder

UNTUNED, TUNED = "dense, untuned", "two towers"
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
    contributions_weighted: dict[str, Contribution]
    """The same of the list fused by weights, with popularity."""
    tuned_minus_untuned: dict[str, Estimate]
    fields: Rows


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


class Report(msgspec.Struct, frozen=True):
    """Everything."""

    encoders: dict[str, str]
    market: OnMarket
    real_text: OnRealText | None


def evaluate(folder: Path, catalogue: Path | None, settings: Settings, steps: Steps) -> Report:
    """Judge the untuned model, the trained towers if there are any, and everything else.

    Raises:
        BadHistory, NoTruth: the history cannot be used.
        WrongCatalogue: the catalogue cannot.
    """
    with steps.step("encoders"):
        encoders = _encoders(settings)
    history = History(folder)
    until = held_out_from(history)
    market = _on_market(history, until, encoders, settings, steps)
    real = None
    if catalogue:
        with steps.step("real text"):
            real = _on_real_text(real_text(catalogue), encoders, settings)
    return Report({name: encoder.name for name, encoder in encoders.items()}, market, real)


def _encoders(settings: Settings) -> dict[str, OnnxEncoder]:
    untuned = ensure_export(settings.model_copy(update={"embedding_model": DEFAULT_MODEL}))
    encoders = {UNTUNED: OnnxEncoder(untuned)}
    if (towers_folder(settings) / "encoder.json").exists():
        encoders[TUNED] = OnnxEncoder(towers_folder(settings))
    return encoders


def _on_market(
    history: History, until: int, encoders: Mapping[str, OnnxEncoder], settings: Settings, steps: Steps
) -> OnMarket:
    judged: dict[str, RetrievalAsOf] = {}
    for name, encoder in encoders.items():
        with steps.step(f"market: {name}") as advance:
            known = embedded_keywords(history, encoder, settings.home / "judging" / encoder.name, advance)
            judged[name] = RetrievalAsOf(history, until, known, encoder, settings)
    untuned, best = judged[UNTUNED], judged[list(judged)[-1]]
    items = best.items
    rows = {name: items.estimates(lists) for name, lists in best.baselines.items()}
    rows |= {name: items.estimates(lists) for name, lists in untuned.lists.items() if name != "dense"}
    rows |= {name: items.estimates(one.lists["dense"]) for name, one in judged.items()}
    rows |= {f"fused, {name}": items.estimates(one.fused()) for name, one in judged.items()}
    rows |= {f"weighted, with popularity, {name}": items.estimates(one.weighted()) for name, one in judged.items()}
    gained = {
        f"recall@{at}": estimate(
            items.recalls(best.lists["dense"], at) - items.recalls(untuned.lists["dense"], at), items.campaigns
        )
        for at in DEPTHS
    }
    with steps.step("market: fields of the product text"):
        fields = tried_on_market(items, untuned.catalogue, encoders[UNTUNED])
    return OnMarket(
        items=len(items.requests),
        keywords=len(best.catalogue),
        as_of=until,
        rows=rows,
        contributions=_contributions(items, best.lists, best.fused),
        contributions_weighted=_contributions(items, [*best.lists, "popular"], best.weighted),
        tuned_minus_untuned=gained if len(judged) > 1 else {},
        fields=fields,
    )


def _contributions(
    items: JudgedItems, sources: Iterable[str], fused: Callable[[str], Lists]
) -> dict[str, Contribution]:
    """`fused` gives the lists without a source."""
    whole = items.recalls(fused(""), DEPTHS[-1])
    found = {}
    for name in sources:
        without = items.recalls(fused(name), DEPTHS[-1])
        found[name] = Contribution(estimate(without, items.campaigns), estimate(whole - without, items.campaigns))
    return found


def _on_real_text(real: RealText, encoders: Mapping[str, OnnxEncoder], settings: Settings) -> OnRealText:
    ranked = {name: ranked_by_sources(real, encoder, settings) for name, encoder in encoders.items()}
    untuned = ranked[UNTUNED]
    rows = {name: one.estimates() for name, one in untuned.items() if name not in ("dense", "fused", "weighted")}
    rows |= {name: of["dense"].estimates() for name, of in ranked.items()}
    rows |= {f"fused, {name}": of["fused"].estimates() for name, of in ranked.items()}
    rows |= {f"weighted, {name}": of["weighted"].estimates() for name, of in ranked.items()}
    differences: dict[str, Estimate] = {}
    held: dict[str, bool] = {}
    if TUNED in ranked:
        pairs: dict[str, tuple[Ranked, Ranked]] = {
            "towers": (ranked[TUNED]["dense"], untuned["dense"]),
            "fused": (ranked[TUNED]["fused"], untuned["fused"]),
            "fused, less the untuned model alone": (ranked[TUNED]["fused"], untuned["dense"]),
            "weighted": (ranked[TUNED]["weighted"], untuned["weighted"]),
        }
        for name, (new, old) in pairs.items():
            differences[name], held[name] = not_worse(new, old)
    return OnRealText(
        products=len(real.products),
        keywords=len(real.texts),
        rows=rows,
        tuned_minus_untuned=differences,
        not_worse=held,
        fields=tried_on_real_text(real, encoders[UNTUNED]),
    )


def evaluate_command(history: Path, catalogue: Path | None, out: Path) -> None:
    """`keypulse retrieval evaluate`."""
    from infra.stack.state import settings

    report = evaluate(history, catalogue, settings(), Steps())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    console = Console()
    if report.real_text:
        title = f"Real text: {report.real_text.products} products, {report.real_text.keywords} keywords"
        console.print(_table(title, report.real_text.rows))
    market = report.market
    title = f"Market: {market.items} held-out items, {market.keywords} keywords; share of the true best 50 found"
    console.print(_table(title, market.rows))
    console.print(_contributions_table("What the fused list owes to each source", market.contributions))
    weighted = "What the list fused by weights, with popularity, owes to each source"
    console.print(_contributions_table(weighted, market.contributions_weighted))
    console.print(f"{out} written")


def _table(title: str, rows: Rows) -> Table:
    table = Table("", *next(iter(rows.values())), title=title)
    for name, measures in rows.items():
        table.add_row(name, *(f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in measures.values()))
    return table


def _contributions_table(title: str, contributions: Mapping[str, Contribution]) -> Table:
    table = Table("without", f"recall@{DEPTHS[-1]}", "lost", title=title)
    for name, one in contributions.items():
        lost = one.lost
        table.add_row(name, f"{one.recall_without.mean:.3f}", f"{lost.mean:+.3f} [{lost.low:+.3f}, {lost.high:+.3f}]")
    return table
