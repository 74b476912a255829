"""The keywords that a process knows, with their vectors and their lexical index, row for row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scorers.keywords.table import Keyword, is_public, may_show
from scorers.retrieval.lexical import LexicalIndex


class KeywordCatalogue:
    """Keywords by canonical form and by row. Grows; never shrinks.

    Vectors are kept as float16 (half the memory; similarity changes by less than 1e-3).
    """

    def __init__(self, keywords: Sequence[Keyword], vectors: NDArray[np.floating]) -> None:
        """`vectors`: n x dimension, rows of length 1, in the order of `keywords`."""
        if len(keywords) != len(vectors):
            raise ValueError(f"{len(keywords)} keywords but {len(vectors)} vectors")
        self.keywords = list(keywords)
        self._rows = {keyword.canonical: row for row, keyword in enumerate(keywords)}
        self._vectors = np.array(vectors, dtype=np.float16)
        self._typed_by: dict[str, list[int]] = {}
        for row, keyword in enumerate(keywords):
            self._note_sellers(row, keyword)
        self._public = np.array([is_public(keyword) for keyword in keywords], dtype=np.bool_)
        self.lexical = LexicalIndex(keyword.canonical for keyword in keywords)

    def __len__(self) -> int:
        return len(self.keywords)

    def __contains__(self, canonical: str) -> bool:
        return canonical in self._rows

    def get(self, canonical: str) -> Keyword | None:
        """The keyword, if known."""
        row = self._rows.get(canonical)
        return None if row is None else self.keywords[row]

    def fetch(self, canonicals: Sequence[str]) -> tuple[list[Keyword], NDArray[np.float32]]:
        """The known ones of `canonicals`, with their vectors."""
        rows = [self._rows[canonical] for canonical in canonicals if canonical in self._rows]
        return [self.keywords[row] for row in rows], self._vectors[rows].astype(np.float32)

    def is_public(self, canonical: str) -> bool:
        """Whether the keyword is known and anyone may see it."""
        keyword = self.get(canonical)
        return keyword is not None and is_public(keyword)

    def add(self, keywords: Sequence[Keyword], vectors: NDArray[np.floating]) -> None:
        """Add keywords not yet known. A known one stays, unless everybody may see it now and could not before."""
        for keyword, vector in zip(keywords, vectors, strict=True):
            row = self._rows.get(keyword.canonical)
            if row is not None and not is_public(self.keywords[row]) and is_public(keyword):
                self.keywords[row], self._vectors[row], self._public[row] = keyword, vector, True
        fresh = [row for row, keyword in enumerate(keywords) if keyword.canonical not in self._rows]
        if not fresh:
            return
        size = len(self.keywords)
        if size + len(fresh) > len(self._vectors):
            grown = np.zeros((2 * size + len(fresh), vectors.shape[1]), dtype=np.float16)
            grown[:size] = self._vectors[:size]
            self._vectors = grown
        for offset, row in enumerate(fresh):
            self._rows[keywords[row].canonical] = size + offset
            self._vectors[size + offset] = vectors[row]
            self.keywords.append(keywords[row])
            self._note_sellers(size + offset, keywords[row])
            self.lexical.add(keywords[row].canonical)
        self._public = np.append(self._public, [is_public(keywords[row]) for row in fresh])

    @property
    def public(self) -> NDArray[np.bool_]:
        """Of each row, whether anyone may see the keyword; n."""
        return self._public

    def visible(self, seller: str) -> NDArray[np.bool_]:
        """Of each row, whether this seller may see the keyword; n."""
        seen = self._public.copy()
        seen[[row for row in self._typed_by.get(seller, ()) if may_show(self.keywords[row], seller)]] = True
        return seen

    @property
    def vectors(self) -> NDArray[np.float16]:
        """n x dimension, a view."""
        return self._vectors[: len(self.keywords)]

    def similarity(self, vector: NDArray[np.float32], canonicals: Iterable[str]) -> NDArray[np.float32]:
        """Cosine of `vector` (length 1) and each of the known keywords `canonicals`."""
        rows = [self._rows[canonical] for canonical in canonicals]
        similarities: NDArray[np.float32] = self._vectors[rows].astype(np.float32) @ vector
        return similarities

    def _note_sellers(self, row: int, keyword: Keyword) -> None:
        for seller in keyword.sellers:
            self._typed_by.setdefault(seller, []).append(row)
