"""Commands of this floor: embedding model, index, ranker, evaluation, scoring worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from scorers.data import cli as data_cli
from scorers.experiments import cli as experiments_cli
from scorers.keywords import cli as keywords_cli
from scorers.retrieval import cli as retrieval_cli
from scorers.suggest import cli as suggest_cli

PANEL = "Scorers: features in, suggestions out"
HISTORY = typer.Option("--history", help="History folder (search, impression, click, purchase; products, campaigns)")
CATALOGUE = typer.Option(
    "--catalogue", help="Products of a real shop (CSV, Parquet): retrieval is judged on their words, too", exists=True
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script")]

app = typer.Typer(no_args_is_help=True, help=PANEL)

_embed_model = typer.Typer(no_args_is_help=True, help="The embedding model that workers use.")
_index = typer.Typer(no_args_is_help=True, help="The keyword index in Milvus.")
_train = typer.Typer(no_args_is_help=True, help="Train a model.")
_scorer = typer.Typer(no_args_is_help=True, help="The worker that turns signals into suggestion sets.")
_suggestions = typer.Typer(no_args_is_help=True, help="Pause and resume the publishing of suggestions.")
app.add_typer(_embed_model, name="embed-model", rich_help_panel=PANEL)
app.add_typer(_index, name="index", rich_help_panel=PANEL)
app.add_typer(_train, name="train", rich_help_panel=PANEL)
app.add_typer(data_cli.app, name="data", rich_help_panel=PANEL)
_train.command("towers")(retrieval_cli.train_towers)
_index.command("rollback")(retrieval_cli.roll_back_index)
app.add_typer(retrieval_cli.app, name="retrieval", rich_help_panel=PANEL)
app.command("suggest", rich_help_panel=PANEL)(suggest_cli.suggest)
app.add_typer(experiments_cli.app, name="experiment", rich_help_panel=PANEL)
app.add_typer(keywords_cli.app, name="keywords", rich_help_panel=PANEL)
app.add_typer(_scorer, name="scorer", rich_help_panel=PANEL)
app.add_typer(_suggestions, name="suggestions", rich_help_panel=PANEL)


@_embed_model.command("export")
def export_embedding_model(
    out: Annotated[Path | None, typer.Option(help="Folder to write; the bundle's encoder when left out")] = None,
) -> None:
    """Export the embedding model to int8 ONNX, so that workers embed without torch.

    Example: keypulse embed-model export
    """
    from scorers.retrieval.export import export_command

    export_command(out)


@_index.command("build")
def build_index(history: Annotated[Path, HISTORY], as_json: AsJson = False) -> None:
    """Embed the history's keywords into a new Milvus collection, check it, and swap it in.

    Example: keypulse index build --history .keypulse/history
    """
    from scorers.retrieval.build import build_command

    build_command(history, as_json)


@_train.command("ranker")
def train_ranker(
    history: Annotated[Path | None, HISTORY] = None,
    tables: Annotated[
        Path | None, typer.Option(help="Instead of a history: folder of daily tables; see docs/data.md")
    ] = None,
    cleared: Annotated[
        bool,
        typer.Option("--cleared", help="No keyword of the tables holds a name or address; where none counts shoppers"),
    ] = False,
    model: Annotated[Literal["linear", "boosted", "neural"], typer.Option(help="Kind of ranker")] = "boosted",
    trials: Annotated[int, typer.Option(min=0, help="Hyperparameters to try for each target; 0 takes the usual")] = 0,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Let it wait for `keypulse promote` instead of using it at once")
    ] = False,
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="Where the trees grow: here, or on a Spark cluster")
    ] = "local",
    master: Annotated[str, typer.Option(help="Spark's master: local[N], spark://HOST:PORT, k8s://..., yarn")] = (
        "local[*]"
    ),
) -> None:
    """Train P(click) and P(purchase | click) on impressions, single or counted by day, and write the bundle.

    The neural one by several processes, on cores or GPUs: torchrun --nproc_per_node=2 -m scorers.training --history DIR

    Example: keypulse train ranker --history .keypulse/history --model boosted
    """
    from infra.stack.state import settings
    from scorers.training.command import source_of, train_command
    from streams.canonical import home_forms

    train_command(
        source_of(history, tables, cleared, home_forms(settings())), model, trials, challenger, engine, master
    )


@app.command("evaluate", rich_help_panel=PANEL)
def evaluate(
    history: Annotated[Path | None, HISTORY] = None,
    market: Annotated[
        Literal["small", "standard"] | None,
        typer.Option(help="In place of a history: markets that nothing was tuned on, simulated and learnt; takes long"),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many such markets")] = 3,
    towers: Annotated[
        Path | None,
        typer.Option(help="Two towers to compare: a folder that `train towers` wrote; those of the bundle otherwise"),
    ] = None,
    catalogue: Annotated[Path | None, CATALOGUE] = None,
    out: Annotated[Path, typer.Option(help="Report to write; .md and .html beside it")] = Path("reports/eval.json"),
    ceiling: Annotated[
        bool, typer.Option("--ceiling", help="What the same trees reach when taught the true probabilities, too")
    ] = False,
    studies: Annotated[
        bool, typer.Option("--studies", help="What the decisions of training are worth, too; takes minutes")
    ] = False,
) -> None:
    """Judge rankers and baselines on held-out campaigns, as of just before each was created, and on impressions.

    Example: keypulse evaluate --history .keypulse/history
    Example: keypulse evaluate --market standard --seeds 3
    """
    if (history is None) == (market is None):
        raise typer.BadParameter("give either --history or --market")
    if market:
        from scorers.pipeline.judging import judge_command

        judge_command(market, seeds, catalogue, out)
        return
    from scorers.evaluation.evaluate import evaluate_command

    evaluate_command(cast(Path, history), out, studies, ceiling, catalogue, towers)


@app.command("promote", rich_help_panel=PANEL)
def promote(
    history: Annotated[Path, HISTORY],
    catalogue: Annotated[Path | None, CATALOGUE] = None,
    as_json: AsJson = False,
) -> None:
    """Make the challenger champion and put it into use, if it passes every rule of the gate. Exit code 1 if not.

    Example: keypulse promote --history .keypulse/history
    """
    from scorers.registry.promotion import promote_command

    promote_command(history, catalogue, as_json)


@app.command("rollback", rich_help_panel=PANEL)
def rollback(as_json: AsJson = False) -> None:
    """Make the champion before the present one champion again, and put it into use.

    Example: keypulse rollback
    """
    from scorers.registry.promotion import rollback_command

    rollback_command(as_json)


@_scorer.command("run")
def scorer_run(
    shards: Annotated[str | None, typer.Option(help="Partitions it owns: all, or e.g. 0,2-3")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Prometheus endpoint; 0 serves none")] = None,
) -> None:
    """Run a scoring worker until SIGTERM: signals in, suggestion sets out.

    Example: keypulse scorer run --shards 0-1 --metrics-port 9103
    """
    from infra.stack import state
    from scorers.worker.run import run

    run(state.settings(scorer_shards=shards, metrics_port=metrics_port))


@app.command("tail", rich_help_panel=PANEL)
def tail_suggestions(
    campaign: Annotated[str | None, typer.Option(help="Only this campaign's")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The records themselves, one a line")] = False,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="What stands there already, too")] = False,
    follow: Annotated[bool, typer.Option(help="Go on when all has been read, until interrupted")] = True,
) -> None:
    """Show suggestion sets as the campaign service reads them.

    Example: keypulse tail --campaign c17 --from-beginning
    """
    from infra.stack import state
    from scorers.suggestions.tail import tail

    tail(state.settings(), campaign, as_json, from_beginning, follow)


CATEGORY = typer.Option("--category", help="Only for campaigns in this category; all when left out")
BY = typer.Option("--by", envvar="USER", help="Who does it, for the log")


@_suggestions.command("pause")
def pause_suggestions(
    category: Annotated[str, CATEGORY] = "*", by: Annotated[str, BY] = "unknown", as_json: AsJson = False
) -> None:
    """Stop publishing suggestions at once. Scoring goes on; what is worth telling is told after `resume`.

    Example: keypulse suggestions pause --category boots --by ann
    """
    _control(category, True, by, as_json)


@_suggestions.command("resume")
def resume_suggestions(
    category: Annotated[str, CATEGORY] = "*", by: Annotated[str, BY] = "unknown", as_json: AsJson = False
) -> None:
    """Publish suggestions again. Ends a pause of the same category, or of all; each ends for itself.

    Example: keypulse suggestions resume --category boots --by ann
    """
    _control(category, False, by, as_json)


def _control(category: str, paused: bool, by: str, as_json: bool) -> None:
    import msgspec

    from infra.clock import SystemClock
    from infra.stack import state
    from scorers.worker.controls import publish_control

    control = publish_control(state.settings(), SystemClock(), category, paused, by)
    if as_json:
        typer.echo(msgspec.json.encode(control))
        return
    where = "all categories" if category == "*" else f"category {category}"
    typer.echo(f"suggestions {'paused' if paused else 'resumed'} for {where} by {by}")


@app.command("pipeline", rich_help_panel=PANEL)
def pipeline(
    market: Annotated[Literal["small", "standard"], typer.Option(help="Of how many items, keywords, events")] = "small",
    towers: Annotated[Literal["static", "minilm"], typer.Option(help="Text part of the two towers")] = "static",
    trials: Annotated[int, typer.Option(min=0, help="Hyperparameters to try for each target of the ranker")] = 15,
    catalogue: Annotated[Path | None, CATALOGUE] = None,
    out: Annotated[Path, typer.Option(help="Report to write")] = Path("reports/pipeline.json"),
) -> None:
    """From raw tables to a promoted bundle: tables, dictionary, counts, two towers, index, tuned ranker, gate.

    Example: keypulse pipeline --market small
    """
    from scorers.pipeline.run import pipeline_command

    pipeline_command(market, towers, trials, catalogue, out)


@app.command("demo", rich_help_panel=PANEL)
def demo(
    catalogue: Annotated[
        Path | None, typer.Option(help="Products of your own to build the market around: CSV or Parquet", exists=True)
    ] = None,
    rate: Annotated[int, typer.Option(min=10, help="Live events a second")] = 1_000,
    duration: Annotated[int, typer.Option(min=20, help="Seconds of live events; the surge comes half-way")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the market")] = 1,
    out: Annotated[Path, typer.Option(help="Report to write")] = Path("reports/demo.json"),
) -> None:
    """Run the main job from nothing: servers, market, training, workers, live events, checks. Exit code 1 if one fails.

    A bundle that `keypulse pipeline` promoted on the same market is used in place of training.

    Example: keypulse demo --catalogue products.csv
    """
    from dataclasses import replace

    from scorers.demo import run
    from scorers.pipeline.markets import MARKETS

    market = replace(MARKETS["small"], seed=seed)
    if not run.demo(run.Size(rate=rate, duration_s=duration, market=market, catalogue=catalogue), out):
        raise typer.Exit(1)
