"""Topical groups: what is near in meaning, named by a keyword that may be shown."""

from __future__ import annotations

import numpy as np
import polars as pl

from scorers.keywords.groups import SMALLEST, with_groups


class Topics:
    """An encoder that knows three topics: a text's first word decides, the rest is noise."""

    name = "topics"

    def encode(self, texts: list[str], progress: object = None) -> np.ndarray:
        centres = {"boots": 0, "lamp": 1, "tent": 2}
        rows = []
        for text in texts:
            noise = np.random.default_rng(sum(map(ord, text))).normal(0, 0.05, 16)
            rows.append(noise + 3 * np.eye(16)[centres[text.split()[0]]] + (0 if text[-1].isalpha() else 0.01))
        vectors = np.array(rows, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clusters(texts: list[str], status: str = "suggestable") -> pl.DataFrame:
    return pl.DataFrame({"key": texts, "text": texts, "status": status, "volume": range(len(texts))})


TEXTS = [f"{topic} {letter}{other}" for topic in ("boots", "lamp", "tent") for letter in "abcd" for other in "efgh"]


def test_each_topic_is_a_group_named_by_one_of_its_own() -> None:
    found = with_groups(clusters(TEXTS), Topics())
    for topic, name in found.select("text", "group").iter_rows():
        assert name is not None
        assert name.split()[0] == topic.split()[0]
    assert found.get_column("group").n_unique() == 3
    assert found.get_column("text").to_list() == TEXTS


def test_what_may_not_be_shown_is_in_no_group_and_names_none() -> None:
    hidden = clusters([f"boots z{letter}" for letter in "abcdefghijkl"], "unproven")
    found = with_groups(pl.concat([clusters(TEXTS), hidden]), Topics())
    assert found.filter(pl.col("status") == "unproven").get_column("group").is_null().all()
    assert not set(found.get_column("group").drop_nulls()) & set(hidden.get_column("text"))


def test_too_few_are_no_group() -> None:
    few = with_groups(clusters(TEXTS[: SMALLEST - 1]), Topics())
    assert few.get_column("group").is_null().all()
    assert with_groups(clusters([]).cast({"key": pl.String, "text": pl.String}), Topics()).is_empty()
