"""The two towers. Their text part is shared, so that a word learnt from keywords is known in titles; the product tower
adds what it knows of the metadata, which starts at nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag, normalize


class StaticText(nn.Module):  # type: ignore[misc]
    """A text is the mean of its pieces' vectors.

    Only pieces that the training's texts hold are learnt: the others get no gradient, and would cost the optimiser ten
    times the work.
    """

    def __init__(self, table: Tensor, learnt: Tensor) -> None:
        """`table`: pieces x dimension. `learnt`: the pieces to learn."""
        super().__init__()
        self.dimension = table.shape[1]
        self.learnt = nn.Parameter(table[learnt].clone())
        place = torch.full((len(table),), -1, dtype=torch.int64)
        place[learnt] = torch.arange(len(learnt))
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("given", table, persistent=False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and their mask, each batch x tokens; batch x dimension."""
        place = self.place[ids]
        if bool((place < 0).any()):
            return masked_mean(embedding(ids, self.table()), mask)
        weights = mask / mask.sum(1, keepdim=True).clamp(min=1)
        return embedding_bag(place, self.learnt, mode="sum", per_sample_weights=weights)

    def table(self) -> Tensor:
        """The whole table as it is now."""
        whole: Tensor = self.given.clone()
        whole[self.place >= 0] = self.learnt.detach()[self.place[self.place >= 0]]
        return whole


class TransformerText(nn.Module):  # type: ignore[misc]
    """A text is the mean of its tokens' states in a transformer."""

    def __init__(self, transformer: Any) -> None:
        """`transformer`: a sentence-transformers model with mean pooling."""
        super().__init__()
        self.tokens = transformer[0].auto_model
        self.dimension = int(transformer.get_embedding_dimension())

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """As `StaticText.forward`."""
        return masked_mean(self.tokens(input_ids=ids, attention_mask=mask).last_hidden_state, mask)


def masked_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that the mask lets through; batch x tokens x d and batch x tokens to batch x d."""
    weights = mask.unsqueeze(-1).to(vectors.dtype)
    return (vectors * weights).sum(1) / weights.sum(1).clamp(min=1.0)


class Towers(nn.Module):  # type: ignore[misc]
    """Keyword tower and product tower; both give rows of length 1."""

    def __init__(self, text: nn.Module, metadata_tokens: int) -> None:
        super().__init__()
        self.text = text
        self.metadata = nn.Embedding(metadata_tokens + 1, int(text.dimension), padding_idx=0)
        nn.init.zeros_(self.metadata.weight)

    def keyword(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask, each n x tokens; n x dimension."""
        return normalize(self.text(ids, mask), dim=-1)

    def product(self, ids: Tensor, mask: Tensor, metadata: Tensor) -> Tensor:
        """`metadata`: numbers of metadata tokens, n x m, 0 for none."""
        return normalize(self.keyword(ids, mask) + self.metadata(metadata).sum(1), dim=-1)

    def forward(
        self, products: tuple[Tensor, Tensor, Tensor], keywords: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Vectors of products and of keywords: one call, as DistributedDataParallel wants it."""
        return self.product(*products), self.keyword(*keywords)
