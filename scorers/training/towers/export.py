"""The towers as ONNX graphs that workers run without torch, int8, in the form of `scorers.retrieval.encoders`.

A static table is kept as int8 with one scale a row, so a vector loses a part in 250 at most and depends on nothing but
its text; a transformer is quantised as the untuned one is.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from infra.checksums import sha256
from scorers.retrieval.encoders import KEYWORD_GRAPH, PRODUCT_GRAPH, OnnxDescription, OnnxEncoder, SimilarityScale
from scorers.retrieval.export import quantise, quiet
from scorers.training.towers.fitting import embedded, recall
from scorers.training.towers.model import StaticText, Towers, masked_mean
from scorers.training.towers.negatives import KnownPairs, Matrix
from scorers.training.towers.pairs import Pairs, TowerData
from scorers.training.towers.texts import TowerInputs

_TIMED = 500


class ServingQuality(msgspec.Struct, frozen=True):
    """The exported int8 encoder against the fp32 towers."""

    cosine: float
    """Mean cosine of a product's two vectors."""
    recall_at_100: float
    recall_at_100_fp32: float
    """On the validation pairs."""
    keywords_per_s: float
    keywords_per_s_fp32: float
    """One text at a time, one thread: as a worker embeds."""
    megabytes: float
    megabytes_fp32: float


class QuantisedText(nn.Module):  # type: ignore[misc]
    """`StaticText` with its table as int8 and a scale a row."""

    def __init__(self, text: StaticText) -> None:
        super().__init__()
        table = text.table()
        scale = table.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
        self.register_buffer("table", torch.round(table / scale).to(torch.int8))
        self.register_buffer("scale", scale)
        self.dimension = text.dimension

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """As `StaticText.forward`."""
        return masked_mean(self.table[ids].float() * self.scale[ids], mask)


class _Keyword(nn.Module):  # type: ignore[misc]
    def __init__(self, towers: Towers) -> None:
        super().__init__()
        self.towers = towers

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.towers.keyword(ids, mask)


class _Product(_Keyword):
    def forward(self, ids: Tensor, mask: Tensor, metadata: Tensor) -> Tensor:  # type: ignore[override]
        return self.towers.product(ids, mask, metadata)


def similarity_scale(towers: Towers, inputs: TowerInputs, pairs: Pairs) -> SimilarityScale:
    """The towers' cosines of pairs that belong together and were not learnt."""
    products, keywords = embedded(towers.eval(), inputs)
    cosines = (products[pairs.product] * keywords[pairs.keyword]).sum(axis=1)
    low, middle = np.quantile(cosines, [0.1, 0.5])
    return SimilarityScale(float(low), float(max(middle, low + 0.01)))


def export(
    towers: Towers,
    model: str,
    inputs: TowerInputs,
    scale: SimilarityScale,
    tokenizer: Any,
    max_tokens: int,
    folder: Path,
) -> OnnxDescription:
    """Write the towers into `folder`, which is replaced."""
    towers = towers.eval()
    static = isinstance(towers.text, StaticText)
    served = _with_text(towers, QuantisedText(towers.text)) if static else towers
    with tempfile.TemporaryDirectory() as scratch, quiet():
        built = Path(scratch)
        for name, graph in ((KEYWORD_GRAPH, _Keyword(served)), (PRODUCT_GRAPH, _Product(served))):
            target = built / name if static else built / f"fp32-{name}"
            _graph(graph, target)
            if not static:
                quantise(target, built / name)
                target.unlink()
        tokenizer.no_padding()
        tokenizer.save(str(built / "tokenizer.json"))
        description = OnnxDescription(
            model=model,
            dimension=int(towers.text.dimension),
            max_tokens=max_tokens,
            files={name: sha256(built / name) for name in (KEYWORD_GRAPH, PRODUCT_GRAPH, "tokenizer.json")},
            metadata=inputs.vocabulary,
            scale=scale,
        )
        (built / "encoder.json").write_bytes(msgspec.json.format(msgspec.json.encode(description), indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(built, folder)
    return description


def _with_text(towers: Towers, text: nn.Module) -> Towers:
    other = Towers(text, towers.metadata.num_embeddings - 1)
    other.metadata.load_state_dict(towers.metadata.state_dict())
    other.eval()
    return other


def _graph(module: _Keyword, path: Path) -> None:
    ids = torch.ones((2, 8), dtype=torch.int64)
    inputs: dict[str, Tensor] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if isinstance(module, _Product):
        inputs["metadata"] = torch.zeros((2, 3), dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=["vectors"],
            dynamic_axes={name: {0: "batch", 1: f"{name}_length"} for name in inputs} | {"vectors": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


def quality(towers: Towers, folder: Path, data: TowerData, inputs: TowerInputs) -> ServingQuality:
    """Compare the export in `folder` with the towers that it was made from."""
    products, keywords = embedded(towers.eval(), inputs)
    encoder = OnnxEncoder(folder)
    ours = encoder.encode_products(data.products)
    texts = [keyword.text for keyword in data.keywords]
    known = KnownPairs(data.training, len(texts))
    graphs = [folder / name for name in (KEYWORD_GRAPH, PRODUCT_GRAPH)]
    text = towers.text.table() if isinstance(towers.text, StaticText) else None
    weights = text.numel() if text is not None else sum(one.numel() for one in towers.text.parameters())
    return ServingQuality(
        cosine=float((ours * products).sum(axis=1).mean()),
        recall_at_100=recall(ours, encoder.encode(texts), data.validation, known),
        recall_at_100_fp32=recall(products, keywords, data.validation, known),
        keywords_per_s=_per_s(texts[:_TIMED], lambda text, row: encoder.encode([text])),
        keywords_per_s_fp32=_per_s(texts[:_TIMED], lambda text, row: _one(towers, inputs, row)),
        megabytes=sum(path.stat().st_size for path in graphs) / 1e6,
        megabytes_fp32=4 * (weights + towers.metadata.weight.numel()) / 1e6,
    )


def _one(towers: Towers, inputs: TowerInputs, row: int) -> Matrix:
    with torch.inference_mode():
        vector: Matrix = towers.keyword(*inputs.of_keywords(np.array([row]))).numpy()
        return vector


def _per_s(texts: Sequence[str], embed: Any) -> float:
    begun = time.perf_counter()
    for row, text in enumerate(texts):
        embed(text, row)
    return len(texts) / (time.perf_counter() - begun)
