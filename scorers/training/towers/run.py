"""`keypulse train towers`, and under torchrun `python -m scorers.training.towers`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from rich.console import Console

from infra.settings import Settings
from infra.steps import Advance, Steps
from scorers.history import History
from scorers.retrieval.encoders import DEFAULT_MODEL, MAX_TOKENS, load_sentence_transformer
from scorers.retrieval.export import towers_folder
from scorers.training.processes import processes, world
from scorers.training.split import held_out_from
from scorers.training.towers.checkpoint import Checkpoint, Epoch
from scorers.training.towers.distilled import distilled
from scorers.training.towers.export import ServingQuality, export, quality, similarity_scale
from scorers.training.towers.fitting import Fitting, Options
from scorers.training.towers.model import StaticText, Towers, TransformerText
from scorers.training.towers.pairs import TowerData, tower_data
from scorers.training.towers.texts import TowerInputs, tower_inputs
from scorers.training.towers.tuning import tuned
from streams.canonical import home_forms

Kind = Literal["static", "minilm"]
OPTIONS: dict[Kind, Options] = {
    "static": Options(),
    "minilm": Options(batch=128, epochs=3, patience=1, rate=3e-5, pull=0.0, mixed_precision=True),
}


class Report(msgspec.Struct, frozen=True):
    """`training.json` beside the exported towers."""

    kind: str
    encoder: str
    trained_until: int
    """ms; no event from then on was seen."""
    products: int
    keywords: int
    training_pairs: int
    validation_pairs: int
    options: dict[str, Any]
    epochs: list[Epoch]
    best_epoch: int
    serving: ServingQuality


def train(
    folder: Path,
    settings: Settings,
    kind: Kind,
    options: Options,
    steps: Steps,
    tell: Callable[[Epoch], None],
    trials: int = 0,
) -> Report | None:
    """Train towers on the history in `folder` and export them to `towers_folder`; None in all processes but the first.

    An interrupted training goes on where it stood, if history and options are the same. `tell` is told each epoch. With
    `trials`, so many options are tried first; by one process only.

    Raises:
        BadHistory: the folder cannot be used.
        NoPairs: it holds too few clicks.
        EncoderError: the model to start from cannot be had.
    """
    history = History(folder, home_forms(settings))
    until = held_out_from(*history.span, settings)
    with steps.step("pairs of products and keywords"):
        data = tower_data(history, until, settings.attribution_window_ms)
    with steps.step("model to start from") as advance:
        base = DEFAULT_MODEL if _is_export(settings.embedding_model) else settings.embedding_model
        transformer = load_sentence_transformer(base)
        tokenizer = transformer.tokenizer.backend_tokenizer
        inputs = tower_inputs(data, tokenizer, MAX_TOKENS)
        towers = _towers(kind, base, transformer, inputs, settings, advance)
    if trials:
        with steps.step(f"{trials} trials") as advance:
            options = tuned(towers, data, inputs, options, trials, advance).options
    checkpoint = Checkpoint(settings.home / "models" / f"towers-{kind}.checkpoint", _fingerprint(kind, data, options))
    with steps.step("epochs") as advance:
        fitted = Fitting(towers, data, inputs, options).run(checkpoint, advance, tell)
    if world()[0]:
        return None
    towers.load_state_dict(fitted.weights)
    target = towers_folder(settings)
    with steps.step("export"):
        scale = similarity_scale(towers, inputs, data.validation)
        description = export(towers, f"towers-{kind}", inputs, scale, tokenizer, MAX_TOKENS, target)
    with steps.step("export compared with the towers"):
        report = Report(
            kind=kind,
            encoder=description.name,
            trained_until=until,
            products=len(data.products),
            keywords=len(data.keywords),
            training_pairs=len(data.training),
            validation_pairs=len(data.validation),
            options=asdict(options),
            epochs=fitted.epochs,
            best_epoch=fitted.best.epoch,
            serving=quality(towers, target, data, inputs),
        )
    (target / "training.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    checkpoint.remove()
    return report


def _is_export(model: str) -> bool:
    return (Path(model) / "encoder.json").is_file()


def _towers(
    kind: Kind, base: str, transformer: Any, inputs: TowerInputs, settings: Settings, advance: Advance
) -> Towers:
    if kind == "minilm":
        return Towers(TransformerText(transformer), len(inputs.vocabulary))
    pieces, done = transformer.tokenizer.vocab_size, 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        advance(done, pieces)

    cache = settings.home / "models" / f"distilled-{hashlib.sha256(base.encode()).hexdigest()[:12]}.npy"
    table = torch.from_numpy(distilled(transformer, cache, tell))
    return Towers(StaticText(table, inputs.pieces()), len(inputs.vocabulary))


def _fingerprint(kind: Kind, data: TowerData, options: Options) -> str:
    """Of all that decides how a training goes."""
    content = hashlib.sha256(msgspec.json.encode([kind, asdict(options), data.keywords, data.products]))
    for pairs in (data.training, data.validation):
        for column in (pairs.product, pairs.keyword, pairs.weight):
            content.update(column.tobytes())
    return content.hexdigest()


def train_command(history: Path, kind: Kind, epochs: int | None, trials: int = 0) -> None:
    """`keypulse train towers`; under torchrun one of its processes."""
    from infra.stack.state import settings

    options = OPTIONS[kind]
    if epochs is not None:
        options = replace(options, epochs=epochs)
    with processes(torch.device("cpu")) as rank:
        console = Console(stderr=True, quiet=rank > 0)
        report = train(
            history, settings(), kind, options, Steps(console), lambda epoch: console.print(_line(epoch)), trials
        )
    if report:
        print(_summary(report, towers_folder(settings())))


def _summary(report: Report, folder: Path) -> str:
    serving, before = report.serving, report.epochs[0].recall_at_100
    return (
        f"{folder}: {report.encoder}, epoch {report.best_epoch}\n"
        f"recall@100 of later clicks: {before:.3f} untrained, {serving.recall_at_100_fp32:.3f} trained, "
        f"{serving.recall_at_100:.3f} exported as int8\n"
        f"keywords/s, one at a time: {serving.keywords_per_s:,.0f} (torch {serving.keywords_per_s_fp32:,.0f}); "
        f"{serving.megabytes:.0f} MB (fp32 {serving.megabytes_fp32:.0f})\n"
        f"To use it: KEYPULSE_EMBEDDING_MODEL={folder}, then `keypulse index build` and `keypulse train ranker`"
    )


def _line(epoch: Epoch) -> str:
    learnt = "" if epoch.training_loss is None else f"training loss {epoch.training_loss:.3f}, "
    return (
        f"epoch {epoch.epoch}: {learnt}validation loss {epoch.validation_loss:.3f}, "
        f"recall@100 {epoch.recall_at_100:.3f}, {epoch.seconds:.1f} s"
    )
