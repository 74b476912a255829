"""Export of the embedding model to ONNX: pooling and normalisation inside, int8 per channel.

Writes `encoder.onnx`, `tokenizer.json` and `encoder.json` (name, dimension, checksums).
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from infra.checksums import sha256
from infra.settings import Settings
from scorers.retrieval.encoders import (
    MAX_TOKENS,
    EncoderError,
    OnnxDescription,
    load_sentence_transformer,
    read_description,
)


def encoder_folder(settings: Settings) -> Path:
    """Where the export lies."""
    return settings.home / "models" / "encoder"


def towers_folder(settings: Settings) -> Path:
    """Where the exported towers lie: what the setting `embedding_model` names to use them."""
    return settings.home / "models" / "towers"


def ensure_export(settings: Settings) -> Path:
    """The folder of the encoder that `settings.embedding_model` names: an export itself (trained towers, say), else the
    model's export, made first when it isn't there or is of another model."""
    if (Path(settings.embedding_model) / "encoder.json").is_file():
        return Path(settings.embedding_model)
    folder = encoder_folder(settings)
    try:
        if read_description(folder).model == settings.embedding_model:
            return folder
    except EncoderError:
        pass
    export(settings.embedding_model, folder)
    return folder


def export(model: str, folder: Path) -> OnnxDescription:
    """Export `model` into `folder`, which is replaced.

    Raises:
        EncoderError: the model cannot be had, or is not a BERT-like model with mean pooling.
    """
    transformer = load_sentence_transformer(model)
    with tempfile.TemporaryDirectory() as scratch, quiet():
        built = Path(scratch)
        _export_graph(transformer, built / "fp32.onnx")
        quantise(built / "fp32.onnx", built / "encoder.onnx")
        (built / "fp32.onnx").unlink()
        transformer.tokenizer.backend_tokenizer.save(str(built / "tokenizer.json"))
        description = OnnxDescription(
            model=model,
            dimension=int(transformer.get_embedding_dimension()),
            max_tokens=MAX_TOKENS,
            files={name: sha256(built / name) for name in ("encoder.onnx", "tokenizer.json")},
        )
        (built / "encoder.json").write_bytes(msgspec.json.format(msgspec.json.encode(description), indent=2))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in built.iterdir():
            shutil.copy(path, folder)
    return description


@contextmanager
def quiet() -> Iterator[None]:
    """The quantiser tells the root logger of every matrix that it leaves alone."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _export_graph(transformer: Any, path: Path) -> None:
    import torch

    names = [type(module).__name__ for module in transformer]
    if names[:2] != ["Transformer", "Pooling"] or transformer[1].get_config_dict()["pooling_mode"] != "mean":
        raise EncoderError(f"only a transformer with mean pooling can be exported, not {' + '.join(names)}")

    class Sentence(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens = transformer[0].auto_model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.tokens(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=-1)

    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Sentence().eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "vectors": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


def quantise(source: Path, target: Path) -> None:
    """Weights to int8, one scale a channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)


def export_command(out: Path | None) -> None:
    """`keypulse embed-model export`."""
    from rich.console import Console

    from infra.settings import settings

    folder = out or encoder_folder(settings())
    with Console(stderr=True).status("exporting the embedding model"):
        description = export(settings().embedding_model, folder)
    size = (folder / "encoder.onnx").stat().st_size / 1e6
    print(f"{folder}: {description.name}, {description.dimension} dimensions, {size:.0f} MB")
