"""Suggestions by the command line and the real encoder, judged by a simulated market's truth."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scorers.evaluation.measures import ndcg
from scorers.retrieval.encoders import DEFAULT_MODEL
from scorers.retrieval.export import export

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.slow


def keypulse(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command from `home`, with its own stored models."""
    return subprocess.run(
        [sys.executable, str(ROOT / "keypulse.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=os.environ | {"KEYPULSE_HOME": str(home)},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market's tables in `tables`, its bare keywords in `keywords.csv`, the exported encoder."""
    place = tmp_path_factory.mktemp("home")
    sizes = ("--events", "120000", "--days", "6", "--seed", "51", "--products", "400", "--keywords", "2000")
    made = keypulse(place, "data", "simulate", "--out", "tables", *sizes)
    assert made.returncode == 0, made.stderr
    keywords = pl.read_parquet(place / "tables" / "keywords.parquet")
    keywords.select("keyword").write_csv(place / "keywords.csv")
    export(DEFAULT_MODEL, place / "models" / "encoder")
    return place


def suggest(home: Path, out: str, *more: str) -> pl.DataFrame:
    tables = ("--products", "tables/products.parquet", "--keywords", "keywords.csv")
    answer = keypulse(home, "suggest", *tables, "--out", out, "--top", "10", *more)
    assert answer.returncode == 0, answer.stderr
    return pl.read_csv(home / out) if out.endswith(".csv") else pl.read_parquet(home / out)


def judged(home: Path, found: pl.DataFrame) -> dict[str, float]:
    """NDCG@10 of each promoted item by the expected purchases of each true keyword, told once."""
    events = home / "tables" / "events"
    concept = dict(pl.read_parquet(events / "keywords_truth.parquet").select("text", "canonical").iter_rows())
    worth: dict[str, dict[str, float]] = defaultdict(dict)
    truth = pl.read_parquet(events / "truth.parquet").filter(pl.col("expected_purchases") > 0)
    for item, keyword, value in truth.select("item", "canonical", "expected_purchases").iter_rows():
        worth[item][keyword] = value
    lists: dict[str, list[str]] = defaultdict(list)
    for item, text in found.sort("product_id", "rank").select("product_id", "keyword").iter_rows():
        lists[item].append(concept[text])
    scores = {}
    for item, values in worth.items():
        told = lists[item]
        gains = [values.get(one, 0.0) if one not in told[:place] else 0.0 for place, one in enumerate(told)]
        scores[item] = ndcg(gains, list(values.values()))
    return scores


def test_relevance_alone_beats_popularity_and_history_betters_it(home: Path) -> None:
    bare, better = suggest(home, "bare.csv", "--cleared"), suggest(home, "better.parquet", "--history", "tables")
    popular = pl.read_parquet(home / "tables" / "keywords.parquet").head(10).get_column("keyword").to_list()
    items = bare.get_column("product_id").unique().to_list()
    same_for_all = pl.DataFrame({"product_id": items}).join(
        pl.DataFrame({"keyword": popular, "rank": range(1, 11)}), how="cross"
    )
    by_relevance, by_history = judged(home, bare), judged(home, better)
    by_popularity = judged(home, same_for_all)
    assert np.mean(list(by_relevance.values())) > 2 * np.mean(list(by_popularity.values()))
    gain = np.array([by_history[item] - by_relevance[item] for item in by_relevance])
    assert gain.mean() - 1.96 * gain.std() / np.sqrt(len(gain)) > 0
    assert {"bought_score", "bought_rank"} <= set(better.columns) - set(bare.columns)


def test_an_event_history_serves_as_its_tables_do(home: Path) -> None:
    columns = ["product_id", "keyword", "rank"]
    from_tables = suggest(home, "a.parquet", "--history", "tables").select(columns)
    assert suggest(home, "b.parquet", "--history", "tables/events").select(columns).equals(from_tables)


def test_who_does_not_clear_a_list_without_shoppers_is_reminded(home: Path) -> None:
    tables = ("--products", "tables/products.parquet", "--out", "c.csv")
    said = keypulse(home, "suggest", *tables, "--keywords", "keywords.csv").stderr
    assert "keywords.csv has no column `shoppers`" in said
    assert "--cleared says that the list is free of them" in said
    counted = keypulse(home, "suggest", *tables, "--keywords", "tables/keywords.parquet")
    assert "has no column" not in counted.stderr
    assert "keywords that too few shoppers typed" in counted.stdout


def test_bad_input_is_one_clear_line_and_code_2(home: Path) -> None:
    answer = keypulse(home, "suggest", "--products", "gone.csv", "--keywords", "keywords.csv", "--out", "o.csv")
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1] == "keypulse: gone.csv: no such file"
