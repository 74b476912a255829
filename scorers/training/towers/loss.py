"""Softmax over the keywords of the batch and the hard negatives mined for each product.

Each column's logit is corrected by the log of how often it can be expected there, or frequent keywords would be pushed
away for being frequent: Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations",
RecSys 2019. A keyword of the batch is expected `batch x share` times, a hard negative `drawn / pool` times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

SCALE = 20.0
"""Cosine to logit."""


@dataclass(frozen=True)
class Columns:
    """The keywords that a batch's products choose among; each product's own one is among them."""

    vectors: Tensor
    """m x d"""
    log_expected: Tensor
    """m: log of how often each can be expected in a batch."""
    keyword: Tensor
    """m: which keyword it is."""


def in_batch(products: Tensor, own: Tensor, columns: Columns, forbidden: Tensor) -> Tensor:
    """Logits of the batch's keywords, n x m.

    Args:
        products: n x d.
        own: n, the column of each product's own keyword.
        forbidden: n x m, columns that belong to the product too: false negatives. Its own one is let through.
    """
    logits = SCALE * products @ columns.vectors.T - columns.log_expected
    masked = forbidden.clone()
    masked[torch.arange(len(own)), own] = False
    return logits.masked_fill(masked, -torch.inf)


def hard(products: Tensor, negatives: Tensor, log_expected: float) -> Tensor:
    """Logits of each product's hard negatives; n x d and n x h x d to n x h."""
    return SCALE * torch.einsum("nd,nhd->nh", products, negatives) - log_expected


def losses(logits: Tensor, own: Tensor) -> Tensor:
    """Negative log-likelihood of each product's own keyword; n."""
    return cross_entropy(logits, own, reduction="none")
