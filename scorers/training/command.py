"""`keypulse train ranker`: train, and keep the training in the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from infra.clock import SystemClock
from infra.settings import Settings
from infra.steps import Steps
from scorers.history import History
from scorers.ranking.bundle import Manifest
from scorers.registry.store import Registry, Training, Version
from scorers.training.examples import CannotLearn, Features
from scorers.training.exchange import examples_folder
from scorers.training.learners.learner import Learner, learner
from scorers.training.measures import Curve
from scorers.training.ranker import EventLog, Source, Trained, train
from scorers.training.spark import spark_session
from scorers.training.tables import DailyTables
from streams.canonical import NORMAL, CanonicalForms, named

_PLOTS = Path("reports")


Engine = Literal["local", "spark", "torchrun"]


def train_command(
    source: Source, kind: str, trials: int, challenger: bool, engine: Engine = "local", master: str = ""
) -> None:
    """Train and register; the bundle is put into use at once, or made the challenger.

    `master`: URL of the Spark master, for that engine. For torchrun this is what its first process does.
    """
    from infra.stack.state import settings

    clock, steps, used = SystemClock(), Steps(), settings()
    out = challenger_folder(used) if challenger else used.bundle_path
    with _teachers(kind, engine, master, used) as taught_by:
        manifest, trained = train(source, used, clock, steps, _PLOTS, kind, trials, out, taught_by)
    with steps.step("registry"):
        registry = Registry(used, clock.now_ms())
        version = record(registry, manifest, trained, out, _PLOTS)
        if challenger:
            registry.challenge(version)
    for name, value in manifest.metrics.items():
        print(f"{name:42} {value:12.5f}" if value % 1 else f"{name:42} {value:12.0f}")
    role = "challenger: `keypulse promote` puts it into use if it passes" if challenger else "in use"
    print(f"{out}: {manifest.model_version}, version {version.number} in the registry, {role}; plots in {_PLOTS}/")


def source_of(history: Path | None, tables: Path | None, cleared: bool, canonical: CanonicalForms = NORMAL) -> Source:
    """The one that is given, its keywords counted under their `canonical` form.

    Raises:
        CannotLearn: both, or neither.
    """
    if history and not tables:
        return EventLog(History(history, canonical))
    if tables and not history:
        return DailyTables(tables, cleared, canonical)
    raise CannotLearn("give --history, a folder of events, or --tables, a folder of daily tables, and not both")


@contextmanager
def _teachers(
    kind: str, engine: Engine, master: str, settings: Settings
) -> Iterator[Callable[[str, Features], Learner]]:
    """Gives the learner of a kind.

    Raises:
        CannotLearn: the engine cannot train that kind.
        Failure, Unavailable, Unreachable, SparkFailed: Spark cannot be had.
    """
    folder = examples_folder(settings)
    if engine == "spark":
        if kind != "boosted":
            raise CannotLearn(f"--engine spark trains --model boosted, not {kind}: leave one of the two out")
        with spark_session(master) as session:
            from scorers.training.learners.spark import SparkLearner

            yield lambda kind, features: SparkLearner(features, session, folder)
    elif engine == "torchrun":
        from scorers.training.following import LeadingLearner

        yield lambda kind, features: LeadingLearner(features, folder)
    else:
        yield learner


def challenger_folder(settings: Settings) -> Path:
    """Where a bundle waits to be promoted."""
    return settings.home / "models" / "challenger"


def record(registry: Registry, manifest: Manifest, trained: Trained, folder: Path, plots: Path) -> Version:
    """Keep a training in the registry: parameters, curves, measures, plots, card and the bundle in `folder`."""
    parameters = {
        f"{target}_{name}": value for target, values in trained.parameters.items() for name, value in values.items()
    }
    return registry.record(
        manifest.model_version,
        Training(
            parameters={"model": manifest.model, "trained_until": manifest.trained_until, **parameters},
            metrics=manifest.metrics,
            curves=_points(trained.curves),
            card=card(manifest),
            plots=sorted(plots.glob(f"*_{manifest.model}.png")) if plots.is_dir() else [],
            bundle=folder,
        ),
    )


def _points(curves: Mapping[str, Curve]) -> Iterator[tuple[str, int, float]]:
    for target, curve in curves.items():
        for one in curve.rounds:
            for rows in ("training", "validation"):
                for measured, value in asdict(getattr(one, rows)).items():
                    yield f"curve_{target}_{rows}_{measured}", one.number, value


def card(manifest: Manifest) -> str:
    """What the model is, what it learnt from, how good it was, and what it is not for (Mitchell et al., "Model Cards
    for Model Reporting", FAT* 2019)."""
    measured = "\n".join(
        f"| {name.replace('_', ' ')} | {value:.5g} |" for name, value in sorted(manifest.metrics.items())
    )
    return f"""# {manifest.model_version}

**What it is.** A {manifest.model} ranker: P(click) of a keyword's searches for an item that is shown and looked at, and
P(purchase | click). {len(manifest.features)} features, windows {", ".join(manifest.windows)}; embeddings of
{manifest.encoder}. Keywords are counted under {named(manifest.dictionary)}.

**What it learnt from.** Impressions, organic and sponsored, one by one or counted by day, under the keyword that was
typed (in daily tables: that matched); no event from {manifest.trained_until} ms on; {manifest.history_days:.1f} days of
history. A pair's own counts were hidden on a share of the rows. A place is looked at with probability
position ** -{manifest.examination:.3f}; probabilities are for position {manifest.reference_position:g}.

**What it is not for.** Other windows or smoothing weights than it was trained with (a worker refuses it); shops whose
shoppers it never saw; prices in another currency. It knows nothing of a seller's margin, stock or budget.

| measured | |
| --- | --- |
{measured}
"""
