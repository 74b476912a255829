"""Where a static text tower starts from: one vector for each word piece of the known model's vocabulary.

The larger part of a vector carries meaning: what the model says of the piece alone, centred, reduced to its principal
components and whitened. The rest is drawn at random, which tells pieces apart: two texts that share a rare piece, a
brand's or a model number's, are near however little the model knows of it. Pieces are weighted by their rank in the
vocabulary, which is ordered by frequency.

The first part follows Model2Vec (Tulkens and van Dongen, 2024) and the weighting Arora et al., "A Simple but
Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017. Both parts' sizes were measured: docs/models.md.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scorers.retrieval.encoders import Progress

MEANING, IDENTITY = 256, 128
"""Dimensions of the two parts."""
_FRAME = 0.02
"""Length of the vectors of [CLS] and [SEP], in those of a rare piece: text without a word still has a vector."""
_SEED = 7
_BATCH = 1_024


def distilled(transformer: Any, cache: Path, progress: Progress | None = None) -> NDArray[np.float32]:
    """Table of vectors, pieces x (MEANING + IDENTITY); kept in `cache`.

    `transformer` is a sentence-transformers model with a WordPiece tokenizer.
    """
    if cache.exists():
        kept: NDArray[np.float32] = np.load(cache, allow_pickle=False)
        return kept
    alone = _each_piece(transformer, progress)
    centred = alone - alone.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    meaning = _unit(centred @ axes[:MEANING].T / spread[:MEANING])
    identity = _unit(np.random.default_rng(_SEED).normal(size=(len(alone), IDENTITY)))
    rarity = np.log1p(np.arange(len(alone)))[:, np.newaxis]
    table = np.concatenate([meaning, identity], axis=1) * rarity / rarity.max()
    for frame in (transformer.tokenizer.cls_token_id, transformer.tokenizer.sep_token_id):
        table[frame] *= _FRAME / np.linalg.norm(table[frame])
    whole: NDArray[np.float32] = table.astype(np.float32)
    cache.parent.mkdir(parents=True, exist_ok=True)
    aside = cache.with_name(f"{cache.stem}.{os.getpid()}.npy")  # other processes may be making the same
    np.save(aside, whole, allow_pickle=False)
    aside.rename(cache)
    return whole


def _each_piece(transformer: Any, progress: Progress | None) -> NDArray[np.float32]:
    """What the model says of each piece alone, pooled as it pools a sentence."""
    tokenizer, model = transformer.tokenizer, transformer[0].auto_model
    found = []
    with torch.inference_mode():
        for start in range(0, tokenizer.vocab_size, _BATCH):
            pieces = torch.arange(start, min(start + _BATCH, tokenizer.vocab_size))
            before, after = (torch.full_like(pieces, id_) for id_ in (tokenizer.cls_token_id, tokenizer.sep_token_id))
            ids = torch.stack([before, pieces, after], dim=1)
            states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            found.append(states.mean(dim=1).numpy())
            if progress:
                progress(len(pieces))
    return np.concatenate(found)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    unit: NDArray[np.floating] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
