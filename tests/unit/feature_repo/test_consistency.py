"""The standing check sees what differs, and only that."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from feature_repo.archive import FeatureArchive, ServedVectors
from feature_repo.consistency import check
from feature_repo.memory import MemoryStore
from infra.settings import load

T = 1_760_000_000_000
WIDTH = 24


class Serving:
    """Writes vectors to the online store and, as asked, to the archive."""

    def __init__(self, folder: Path) -> None:
        self.online = MemoryStore(load())
        self.online.acquire(0, 1)
        self.archive = FeatureArchive(folder)
        self.offset = 0

    def serve(self, entities: list[str], value: float, as_of_ms: int, *, archived: bool = True) -> None:
        sums = np.full((len(entities), WIDTH), value)
        self.online.write(0, 1, entities, sums, as_of_ms)
        if archived:
            self.log(entities, value, as_of_ms)

    def log(self, entities: list[str], value: float, as_of_ms: int) -> None:
        sums = np.full((len(entities), WIDTH), value)
        served = [ServedVectors(entities, sums, as_of_ms, as_of_ms + 5, self.offset)]
        self.archive.write(0, self.offset, self.offset + 1, served)
        self.offset += 1


def test_what_was_served_is_consistent(tmp_path: Path) -> None:
    serving = Serving(tmp_path)
    serving.serve(["item:A", "pair:A|x"], 1, T)
    serving.serve(["item:A", "item:B", "category:c"], 2, T + 1_000)
    found = check(tmp_path, serving.online, sample=10)
    assert (found.sampled, found.compared, found.mismatches, found.newer_online) == (4, 4, 0, 0)


def test_a_vector_that_differs_is_a_mismatch(tmp_path: Path) -> None:
    serving = Serving(tmp_path)
    serving.serve(["item:A", "item:B"], 1, T)
    serving.online.write(0, 1, ["item:A"], np.full((1, WIDTH), 3.0), T)
    found = check(tmp_path, serving.online, sample=10)
    assert (found.compared, found.mismatches) == (2, 1)
    assert "item:A" in found.examples[0]


def test_a_vector_served_since_is_no_mismatch(tmp_path: Path) -> None:
    serving = Serving(tmp_path)
    serving.serve(["item:A"], 1, T)
    serving.serve(["item:A"], 2, T + 1_000, archived=False)
    found = check(tmp_path, serving.online, sample=10)
    assert (found.compared, found.mismatches, found.newer_online) == (0, 0, 1)


def test_a_vector_that_was_logged_and_never_served_is_a_mismatch(tmp_path: Path) -> None:
    serving = Serving(tmp_path)
    serving.serve(["item:A"], 1, T)
    serving.log(["item:A", "item:B"], 2, T + 1_000)
    found = check(tmp_path, serving.online, sample=10)
    assert (found.sampled, found.compared, found.mismatches) == (2, 0, 2)


def test_a_sample_is_of_each_kind(tmp_path: Path) -> None:
    serving = Serving(tmp_path)
    serving.serve([f"{kind}:{number}" for kind in ("item", "pair") for number in range(50)], 1, T)
    assert check(tmp_path, serving.online, sample=7).compared == 14
    assert check(tmp_path, serving.online, sample=70).compared == 100


def test_without_an_archive_nothing_is_compared(tmp_path: Path) -> None:
    assert check(tmp_path, MemoryStore(load()), sample=7).sampled == 0
