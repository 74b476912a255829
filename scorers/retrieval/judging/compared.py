"""The encoders that are compared: the known model as it is, and two towers."""

from __future__ import annotations

from pathlib import Path

from infra.settings import Settings
from scorers.retrieval.encoders import DEFAULT_MODEL, OnnxEncoder
from scorers.retrieval.export import ensure_export, towers_folder

UNTUNED, TUNED = "dense, untuned", "two towers"


def compared(settings: Settings, towers: Path | None = None) -> dict[str, OnnxEncoder]:
    """`UNTUNED` and, if there are any, `TUNED`: the towers in the folder `towers`, else those trained last.

    Raises:
        EncoderError: the known model cannot be had, or a folder is broken.
    """
    found = {UNTUNED: OnnxEncoder(ensure_export(settings.model_copy(update={"embedding_model": DEFAULT_MODEL})))}
    folder = towers or towers_folder(settings)
    if towers or (folder / "encoder.json").exists():
        found[TUNED] = OnnxEncoder(folder)
    return found
