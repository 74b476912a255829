"""A market in a folder is the same market again; the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from streams.simulator import store
from streams.simulator.cli import app
from streams.simulator.market import Market
from streams.simulator.truth import keywords_truth, truth
from tests.market import UNTIL_MS


def test_a_saved_market_is_built_again_to_the_bit(small_market: Market, tmp_path: Path) -> None:
    store.save(small_market, tmp_path)
    again = store.load(tmp_path)
    assert truth(again).equals(truth(small_market))
    assert keywords_truth(again).equals(keywords_truth(small_market))
    assert again.catalogue.products == small_market.catalogue.products
    assert np.array_equal(again.daily_budgets(), small_market.daily_budgets())


def test_a_folder_without_a_market_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(store.MarketMissing, match="keypulse simulate history --out"):
        store.load(tmp_path)


def test_history_writes_all_files_around_an_own_catalogue(tmp_path: Path) -> None:
    goods = tmp_path / "goods.csv"
    lines = [f"Acme {color} garden hose {length} m" for color in ("red", "blue") for length in range(40)]
    goods.write_text("title,price\n" + "\n".join(f"{line},20" for line in lines))
    out = tmp_path / "out"
    options = ["--events", "4000", "--days", "1", "--campaigns", "20", "--keywords", "300", "--until", str(UNTIL_MS)]
    done = CliRunner().invoke(
        app, ["history", "--out", str(out), "--catalogue", str(goods), *options, "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert abs(told["events"] - 4_000) < 500
    assert told["products"] == 80
    assert {path.name for path in out.iterdir()} == {
        *(f"{name}.parquet" for name in ("search", "impression", "click", "purchase", "truth", "keywords_truth")),
        *("products.jsonl", "campaigns.jsonl", "market.json", "catalogue.csv"),
    }
    assert len(store.load(out).catalogue) == 80
