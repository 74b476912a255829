"""Texts and metadata as numbers, made once before training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorers.retrieval.metadata import metadata_tokens
from scorers.retrieval.text import product_text
from scorers.training.towers.pairs import Ints, TowerData
from streams.contracts.messages import ProductState

MIN_PRODUCTS = 5
"""A metadata token that fewer products have is not learnt."""
_KEYWORD_TOKENS = 32


@dataclass(frozen=True)
class Texts:
    """Token ids, padded with 0."""

    ids: Tensor
    """n x tokens"""
    lengths: Tensor
    """n"""

    def rows(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Ids and mask of some texts, as narrow as the longest of them."""
        chosen = torch.from_numpy(rows)
        lengths = self.lengths[chosen]
        width = int(lengths.max()) if len(lengths) else 0
        return self.ids[chosen, :width], (torch.arange(width) < lengths.unsqueeze(1)).to(torch.int64)


@dataclass(frozen=True)
class TowerInputs:
    """All products and keywords, ready for the towers."""

    products: Texts
    metadata: Tensor
    """products x tokens, 0 for none"""
    keywords: Texts
    vocabulary: list[str]
    """Metadata tokens; the first one's number is 1."""

    def of_products(self, rows: Ints) -> tuple[Tensor, Tensor, Tensor]:
        """What the product tower takes."""
        return *self.products.rows(rows), self.metadata[torch.from_numpy(rows)]

    def pieces(self) -> Tensor:
        """All tokens of all texts, each once."""
        return torch.cat([self.products.ids.ravel(), self.keywords.ids.ravel()]).unique()

    def of_keywords(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """What the keyword tower takes."""
        return self.keywords.rows(rows)


def tower_inputs(data: TowerData, tokenizer: Any, max_tokens: int) -> TowerInputs:
    """`tokenizer`: a `tokenizers.Tokenizer`."""
    vocabulary = _vocabulary(data.products)
    return TowerInputs(
        products=_texts(tokenizer, [product_text(product) for product in data.products], max_tokens),
        metadata=_metadata(data.products, vocabulary),
        keywords=_texts(tokenizer, [keyword.text for keyword in data.keywords], _KEYWORD_TOKENS),
        vocabulary=vocabulary,
    )


def _vocabulary(products: Sequence[ProductState]) -> list[str]:
    counts = Counter(token for product in products for token in set(metadata_tokens(product)))
    return sorted(token for token, count in counts.items() if count >= MIN_PRODUCTS)


def _metadata(products: Sequence[ProductState], vocabulary: Sequence[str]) -> Tensor:
    numbers = {token: number for number, token in enumerate(vocabulary, start=1)}
    return _padded([[numbers[token] for token in metadata_tokens(product) if token in numbers] for product in products])


def _texts(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> Texts:
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    return Texts(_padded(ids), torch.tensor([len(one) for one in ids], dtype=torch.int64))


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    padded = np.zeros((len(rows), max(1, *map(len, rows)) if rows else 1), np.int64)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return torch.from_numpy(padded)
