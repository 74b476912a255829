"""Public shopping data sets in their own file formats, as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from scorers.data.reading import BadTable, read_raw

ESCI_RELEVANCE = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}
"""Exact, substitute, complement, irrelevant: the gains of Reddy et al., "Shopping Queries Dataset: A Large-Scale ESCI
Benchmark for Improving Product Search", arXiv 2206.06588, 2022."""
WANDS_RELEVANCE = {"Exact": 1.0, "Partial": 0.5, "Irrelevant": 0.0}
"""Labels of Chen et al., "WANDS: Dataset for Product Search Relevance Assessment", ECIR 2022."""


def esci(examples: Path, products: Path, locale: str = "us") -> dict[str, pl.DataFrame]:
    """Amazon ESCI: its `..._examples.parquet` and `..._products.parquet`, one locale of them.

    Raises:
        BadTable: a file cannot be read, lacks a column, has an unknown label or nothing of the locale.
    """
    judged = _of_locale(_columns(examples, "query", "product_id", "product_locale", "esci_label"), locale, examples)
    goods = _of_locale(
        _columns(products, "product_id", "product_title", "product_brand", "product_color", "product_locale"),
        locale,
        products,
    )
    color = pl.col("product_color").str.strip_chars()
    return {
        "products": goods.select(
            "product_id",
            title="product_title",
            brand="product_brand",
            specification=pl.when(color != "").then(pl.struct(Color=color).struct.json_encode()),
        ),
        **_judged(judged.rename({"query": "keyword", "esci_label": "label"}), ESCI_RELEVANCE, examples),
    }


def wands(folder: Path) -> dict[str, pl.DataFrame]:
    """Wayfair WANDS: the folder of its `query.csv`, `product.csv` and `label.csv`, divided by tabs.

    Raises:
        BadTable: a file cannot be read, lacks a column, or has an unknown label or query.
    """
    queries = _columns(folder / "query.csv", "query_id", "query")
    labels = _columns(folder / "label.csv", "query_id", "product_id", "label")
    goods = read_raw(folder / "product.csv").rename({"category_hierarchy": "category hierarchy"}, strict=False)
    goods = _chosen(
        goods,
        folder / "product.csv",
        ("product_id", "product_name", "product_class", "category hierarchy", "product_features"),
    )
    judged = labels.join(queries, on="query_id", how="left", maintain_order="left")
    if unknown := judged.filter(pl.col("query").is_null()).get_column("query_id").to_list():
        raise BadTable(f"{folder / 'label.csv'}: query_id {unknown[0]} is not in query.csv")
    features = goods.get_column("product_features").map_elements(_features, return_dtype=pl.String)
    return {
        "products": goods.select(
            "product_id",
            title="product_name",
            category=pl.col("product_class").str.split("|").list.first(),
            category_path=pl.col("category hierarchy").str.replace_all(r"\s*/\s*", " > "),
            specification=features,
        ),
        **_judged(judged.rename({"query": "keyword"}), WANDS_RELEVANCE, folder / "label.csv"),
    }


def _judged(judged: pl.DataFrame, grades: Mapping[str, float], path: Path) -> dict[str, pl.DataFrame]:
    """`keywords` and `relevance`; of several judgements of a pair the best counts."""
    judged = judged.with_columns(
        relevance=pl.col("label").replace_strict(grades, default=None, return_dtype=pl.Float64)
    )
    if unknown := judged.filter(pl.col("relevance").is_null()).get_column("label").to_list():
        raise BadTable(f"{path}: label {unknown[0]!r} is none of {', '.join(grades)}")
    relevance = judged.sort("relevance", descending=True, maintain_order=True).unique(
        ["keyword", "product_id"], keep="first", maintain_order=True
    )
    return {
        "keywords": judged.select("keyword").unique(maintain_order=True),
        "relevance": relevance.select("keyword", "product_id", "relevance", "label"),
    }


def _columns(path: Path, *names: str) -> pl.DataFrame:
    return _chosen(read_raw(path), path, names)


def _chosen(frame: pl.DataFrame, path: Path, names: tuple[str, ...]) -> pl.DataFrame:
    if missing := [name for name in names if name not in frame.columns]:
        raise BadTable(f"{path}: column {missing[0]} is missing; it has {', '.join(frame.columns)}")
    return frame.select(pl.col(names).cast(pl.String))


def _of_locale(frame: pl.DataFrame, locale: str, path: Path) -> pl.DataFrame:
    chosen = frame.filter(pl.col("product_locale") == locale)
    if chosen.is_empty():
        there = ", ".join(sorted(frame.get_column("product_locale").drop_nulls().unique()))
        raise BadTable(f"{path}: no row has product_locale {locale!r}; there are {there}")
    return chosen


def _features(cell: str) -> str | None:
    """`name : value|name:value` as a JSON object; a name that comes twice keeps both values."""
    found: dict[str, list[str]] = {}
    for part in cell.split("|"):
        name, _, value = (side.strip() for side in part.partition(":"))
        if name and value:
            found.setdefault(name, []).append(value)
    return json.dumps({name: ", ".join(values) for name, values in found.items()}) if found else None
