"""The keyword table of a history with a vector for each keyword: what index, training and evaluation start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from infra.settings import Settings
from scorers.history import History
from scorers.keywords.table import Keyword, keyword_table, read_table, write_table
from scorers.retrieval.encoders import Encoder

_INPUTS = ("search.parquet", "campaigns.jsonl")


class Origin(msgspec.Struct, frozen=True):
    """What a saved table was made from: the same origin means the same table."""

    encoder: str
    files: dict[str, list[int]]
    """Input file to its size and time of change."""
    min_distinct_shoppers: int
    dictionary: str
    """Version that keywords were counted under."""


@dataclass(frozen=True)
class EmbeddedKeywords:
    """Keywords and their vectors, row for row."""

    keywords: list[Keyword]
    vectors: NDArray[np.float16]

    def save(self, folder: Path) -> None:
        """Write `keywords.parquet` and `keywords.npy`."""
        folder.mkdir(parents=True, exist_ok=True)
        write_table(folder / "keywords.parquet", self.keywords)
        np.save(folder / "keywords.npy", self.vectors, allow_pickle=False)


def keyword_folder(settings: Settings) -> Path:
    """Where the embedded keyword table of the last history lies."""
    return settings.home / "models" / "keywords"


def embedded_keywords(
    history: History,
    encoder: Encoder,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    min_distinct_shoppers: int = 1,
) -> EmbeddedKeywords:
    """The history's keywords, embedded; kept in `folder` and read from there when nothing has changed.

    `progress` is told how many are embedded and how many there are.
    """
    files = {name: _stamp(history.folder / name) for name in _INPUTS}
    origin = Origin(encoder.name, files, min_distinct_shoppers, history.canonical.version)
    note = folder / "origin.json"
    if note.exists() and note.read_bytes() == msgspec.json.encode(origin):
        vectors = np.load(folder / "keywords.npy", allow_pickle=False)
        return EmbeddedKeywords(read_table(folder / "keywords.parquet"), vectors)
    note.unlink(missing_ok=True)
    keywords = keyword_table(history.searches, history.campaigns, min_distinct_shoppers, history.canonical)
    texts = [keyword.text for keyword in keywords]
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress(done, len(texts))

    found = EmbeddedKeywords(keywords, encoder.encode(texts, tell).astype(np.float16))
    found.save(folder)
    note.write_bytes(msgspec.json.encode(origin))
    return found


def _stamp(path: Path) -> list[int]:
    stat = path.stat() if path.exists() else None
    return [stat.st_size, stat.st_mtime_ns] if stat else []
