"""Raw keywords gathered under their key: one cluster for each, with an id, a name to show and what it sums up to."""

from __future__ import annotations

import polars as pl

from streams.normal_form import normal_form


def clusters(entries: pl.DataFrame) -> pl.DataFrame:
    """The clusters of raw keywords, by key: id, key, text, volume, members, sellers_only.

    `entries`: text, key, volume, sellers_only (no shopper typed it), as_is (its words are the key's without repair).
    The text is the medoid: the member typed most, shoppers' before sellers'; of equals one written as most write it.

    A cluster's id is the normal form of its medoid, so that a keyword which no dictionary knows yet is counted with
    it. Of clusters with one normal form (in-ear and on-ear headphones) that of the greatest volume has it for its id;
    the others' ids say besides, after a `~`, in which words they differ.
    """
    gathered = (
        entries.with_columns(length=pl.col("text").str.len_chars())
        .sort(
            ["key", "sellers_only", "volume", "as_is", "length", "text"],
            descending=[False, False, True, True, False, False],
        )
        .group_by("key", maintain_order=True)
        .agg(
            pl.col("text").first(),
            pl.col("volume").sum(),
            pl.len().cast(pl.Int64).alias("members"),
            pl.col("sellers_only").all(),
        )
        .sort(["volume", "key"], descending=[True, False])
    )
    ids = _ids(gathered.get_column("key").to_list(), gathered.get_column("text").to_list())
    columns = ["id", "key", "text", "volume", "members", "sellers_only"]
    return gathered.with_columns(pl.Series("id", ids, dtype=pl.String)).select(columns).sort("key")


def _ids(keys: list[str], texts: list[str]) -> list[str]:
    """Ids in the order given: who comes first has the plain normal form."""
    holder: dict[str, str] = {}
    for key, text in zip(keys, texts, strict=True):
        form = normal_form(text)
        holder[form if form not in holder else _marked(form, key, holder)] = key
    return list(holder)


def _marked(form: str, key: str, holder: dict[str, str]) -> str:
    apart = [word for word in key.split() if word not in holder[form].split()]
    marked = f"{form} ~{' '.join(apart)}"
    return marked if apart and marked not in holder else f"{form} ~~{key}"
