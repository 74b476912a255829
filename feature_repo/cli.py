"""The commands of the features floor. Nothing is imported at the top but Typer: `--help` must be quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from feature_repo.inspection import Inspection

PANEL = "Features"

app = typer.Typer()
features_app = typer.Typer(
    no_args_is_help=True, help="Features: one entity's now, the archive of served ones, their consistency."
)
app.add_typer(features_app, name="features", rich_help_panel=PANEL)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@features_app.command("show")
def show(
    entity: Annotated[str, typer.Argument(help="kind:key, e.g. item:A17, keyword:boots rain or pair:A17|boots rain")],
    category: Annotated[
        str | None, typer.Option(help="Smooth towards this category's rates; else the one that its product names.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an entity's sums per window and what is derived from them, as the online store has them now.

    Exit code 1 when there is no such entity. Example: keypulse features show item:A17
    """
    import json
    from dataclasses import asdict

    from feature_repo.inspection import inspect
    from feature_repo.vector_reader import VectorReader
    from infra import redis
    from infra.stack import state

    settings = state.settings()
    reader = VectorReader(redis.connect(settings.online_redis_url), settings)
    inspection = inspect(reader, entity, settings, category)
    if as_json:
        typer.echo(json.dumps(asdict(inspection)))
    else:
        _print(inspection, settings.windows)


@features_app.command("consistency")
def consistency(
    sample: Annotated[int, typer.Option(min=1, help="Most entities of each kind.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Which entities: another seed, another sample.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare online vectors with the newest archived ones: training must see what serving saw.

    Exit code 1 on any mismatch. Example: keypulse features archive --once && keypulse features consistency
    """
    import json
    from dataclasses import asdict

    from feature_repo.consistency import check
    from feature_repo.vector_reader import VectorReader
    from infra import redis
    from infra.stack import state

    settings = state.settings()
    reader = VectorReader(redis.connect(settings.online_redis_url), settings)
    found = check(settings.feature_log_path, reader, sample, seed)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        for example in found.examples:
            typer.echo(example)
        typer.echo(
            f"{found.sampled:,} entities sampled: {found.compared:,} compared, {found.mismatches:,} mismatches, "
            f"{found.newer_online:,} newer online than in the archive"
        )
        if not found.compared:
            typer.echo("nothing could be compared; archive the log first: keypulse features archive --once")
    if found.mismatches:
        raise typer.Exit(1)


def _print(inspection: Inspection, window_names: tuple[str, ...]) -> None:
    from datetime import UTC, datetime
    from itertools import pairwise

    from rich.console import Console
    from rich.table import Table

    from feature_repo.derived import RATES, TREND_METRICS
    from feature_repo.vectors import METRICS

    moment = datetime.fromtimestamp(inspection.as_of_ms / 1000, UTC).isoformat(timespec="milliseconds")
    console = Console(highlight=False)
    console.print(f"{inspection.entity} as of {moment}, category {inspection.category or 'unknown'}", markup=False)
    table = Table("", *window_names)
    for metric in METRICS:
        table.add_row(metric, *(f"{inspection.sums[f'{metric}_{name}']:,.0f}" for name in window_names))
    table.add_section()
    for rate in RATES:
        table.add_row(rate.name, *(f"{inspection.derived[f'{rate.name}_{name}']:.4f}" for name in window_names))
    table.add_section()
    for metric in TREND_METRICS:
        trends = (
            f"{inspection.derived[f'{metric}_trend_{short}_{long}']:+.2f}" for short, long in pairwise(window_names)
        )
        table.add_row(f"{metric} trend", *trends, "")
    console.print(table)
