"""`keypulse simulate`: make a market with a history, tell its states, let it happen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.simulator.history import Written
    from streams.simulator.live import Sent
    from streams.simulator.shock import Shock

app = typer.Typer(no_args_is_help=True, help="A market that plays the producers, for trying Keypulse out.")

Folder = Annotated[Path, typer.Argument(help="The folder that `simulate history` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

DAY_MS, MINUTE_MS = 86_400_000, 60_000
UNTIL_BEFORE_NOW_MS = 5_000


@app.command("history", epilog="Example: keypulse simulate history --out .keypulse/history --events 1000000 --days 10")
def history(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    events: Annotated[int, typer.Option(min=1_000, help="About how many events.")] = 1_000_000,
    days: Annotated[float, typer.Option(min=0.05, help="How far back they go.")] = 10.0,
    warm_up_minutes: Annotated[
        float,
        typer.Option(min=0, max=1_440, help="The last minutes hold, besides, as many events as a live run would."),
    ] = 0.0,
    warm_up_rate: Annotated[
        float, typer.Option(min=1, help="Events a second in the warm-up, all topics together: the live run's --rate.")
    ] = 1_000.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and --until make the same market and history.")] = 1,
    products: Annotated[int, typer.Option(min=50, help="Items; ignored with --catalogue.")] = 2_400,
    campaigns: Annotated[int | None, typer.Option(min=1, help="400, or half the products if that is fewer.")] = None,
    keywords: Annotated[int, typer.Option(min=200, help="Texts as shoppers type them.")] = 12_000,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV or Parquet of your own products: title, category path ('A > B > C'), price, brand, "
            "specification (JSON object). Only title is required.",
        ),
    ] = None,
    until: Annotated[int | None, typer.Option(help="End of the history, ms since 1970; a few seconds ago.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a market and write its past: four event files in order of arrival, states, and the truth."""
    from rich.progress import Progress

    from infra.settings import load
    from streams.simulator import store
    from streams.simulator.history import events_per_search, write_history
    from streams.simulator.market import Plan, with_searches
    from streams.simulator.states import write_states
    from streams.simulator.truth import write_truth

    if warm_up_minutes * MINUTE_MS >= days * DAY_MS:
        raise typer.BadParameter(
            f"got {warm_up_minutes:g} minutes, as long as the history; take fewer, or more --days",
            param_hint="--warm-up-minutes",
        )
    settings = load()
    begun = time.perf_counter()
    end = until or time.time_ns() // 1_000_000 - UNTIL_BEFORE_NOW_MS
    plan = Plan(
        seed=seed,
        start_ms=end - int(days * DAY_MS),
        until_ms=end,
        searches=max(1, events // 8),
        warm_up_ms=int(warm_up_minutes * MINUTE_MS),
        products=products,
        campaigns=campaigns,
        keywords=keywords,
    )
    with Progress(transient=True, disable=as_json) as bars:
        bar = bars.add_task("market", total=None)
        market = store.make(plan, catalogue, lambda step: bars.update(bar, description=f"market: {step}"))
        at_once = events_per_search(market)
        warm_up = warm_up_rate * plan.warm_up_ms / 1_000 / at_once  # a live rate leaves second copies out
        market = with_searches(market, max(1, round(events / 1.01 / at_once)), round(warm_up))
        total = market.plan.searches + market.plan.warm_up_searches
        bars.update(bar, description="history", total=total, completed=0)
        written = write_history(
            market, out, settings.late_horizon_ms, settings.currency, lambda searches: bars.advance(bar, searches)
        )
        bars.update(bar, description="states and truth")
        store.save(market, out, catalogue)
        write_states(market, out)
        write_truth(market, out)
    _show_history(written, out, len(market.catalogue), len(market.campaigns), len(market.keywords), begun, as_json)


@app.command("state", epilog="Example: keypulse simulate state .keypulse/history")
def state(folder: Folder) -> None:
    """Publish the market's products and campaigns to the state topics."""
    from infra.stack.state import settings
    from streams.simulator.states import publish_states

    for topic, count in publish_states(settings(), folder).items():
        typer.echo(f"{topic}: {count} records")


@app.command("live", epilog='Example: keypulse simulate live .keypulse/history --rate 1000 --shock "rain boots:8x@60s"')
def live(
    folder: Folder,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, all topics together.")] = 1_000.0,
    duration: Annotated[float, typer.Option(min=1, help="Seconds.")] = 120.0,
    shock: Annotated[
        str | None,
        typer.Option(help="KEYWORD:FACTORx@SECONDSs, e.g. 'rain boots:8x@60s'; KEYWORD `auto` chooses one."),
    ] = None,
    bad_ratio: Annotated[float, typer.Option(min=0, max=0.5, help="Bad records per good one.")] = 0.0,
    haste: Annotated[
        float, typer.Option(min=1, help="Purchases follow their click so many times sooner than in the history.")
    ] = 40.0,
    summary: Annotated[Path | None, typer.Option(help="Write what was sent to this JSON file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish events as they happen, with wall-clock times. Ctrl-C ends it early. Exit code 1 if a record got lost."""
    import json
    import signal
    import threading

    from rich.progress import Progress

    from infra import kafka
    from infra.clock import SystemClock
    from infra.stack.state import settings as running
    from streams.simulator import store
    from streams.simulator.live import run
    from streams.simulator.shock import parse_shock

    settings = running()
    market = store.load(folder)
    planned = parse_shock(shock, market, rate) if shock else None
    kafka.wait_ready(settings)
    stopped = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: stopped.set())
    with Progress(transient=True, disable=as_json) as bars:
        bar = bars.add_task("live", total=rate * duration)
        sent = run(
            market,
            settings,
            kafka.producer(settings),
            SystemClock(),
            stopped.wait,
            rate=rate,
            duration_s=duration,
            shock=planned,
            bad_ratio=bad_ratio,
            haste=haste,
            stop=stopped.is_set,
            progress=lambda so_far: bars.update(bar, completed=so_far.records),
        )
    told = _summary(sent, planned, market.plan.seed)
    if summary:
        summary.parent.mkdir(parents=True, exist_ok=True)
        summary.write_text(json.dumps(told, indent=2) + "\n")
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"{sent.records} records in {(sent.ended_ms - sent.started_ms) / 1_000:.1f} s: {dict(sent.events)}")
        typer.echo(f"second copies {sent.duplicates}, sent late {sent.held}, bad {dict(sent.bad)}")
    if sent.unacknowledged:
        typer.echo(f"{sent.unacknowledged} records were not acknowledged", err=True)
        raise typer.Exit(1)


def _summary(sent: Sent, shock: Shock | None, seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "started_ms": sent.started_ms,
        "ended_ms": sent.ended_ms,
        "records": sent.records,
        "events": dict(sent.events),
        "duplicates": sent.duplicates,
        "sent_late": sent.held,
        "bad": dict(sent.bad),
        "unacknowledged": sent.unacknowledged,
        "shock": shock and {"keyword": shock.keyword, "factor": shock.factor, "at_ms": sent.shock_at_ms},
    }


def _show_history(
    written: Written, out: Path, products: int, campaigns: int, keywords: int, begun: float, as_json: bool
) -> None:
    import json

    seconds = round(time.perf_counter() - begun, 2)
    told = {
        "folder": str(out),
        "events": written.total,
        "rows": written.rows,
        "duplicates": written.duplicate,
        "late": written.late,
        "too_late": written.too_late,
        "products": products,
        "campaigns": campaigns,
        "keywords": keywords,
        "seconds": seconds,
    }
    if as_json:
        typer.echo(json.dumps(told))
        return
    rows = ", ".join(f"{name} {count:,}" for name, count in written.rows.items())
    typer.echo(f"{products:,} products, {campaigns:,} campaigns, {keywords:,} keywords -> {out} in {seconds} s")
    typer.echo(f"{written.total:,} events: {rows}")
    typer.echo(f"second copies {written.duplicate:,}, late {written.late:,}, too late {written.too_late:,}")
