"""Event history to daily tables, against counting by hand and against the market's own totals."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from infra.settings import load
from scorers.data import daily
from scorers.data.check import check_folder
from scorers.data.cli import app
from scorers.data.reading import read
from scorers.data.schemas import TABLES
from scorers.data.writing import write
from scorers.history import History, attributed
from streams.simulator.states import write_states
from tests.market import UNTIL_MS, make_market, make_past

NOON = int(datetime(2026, 3, 30, 12, tzinfo=UTC).timestamp() * 1_000)
HOUR = 3_600_000


def event(name: str, number: int, at: int, **fields: object) -> dict[str, object]:
    common = {"event_id": f"{name}{number}", "event_time": at, "schema_version": 1, "shopper": "u1"}
    return common | {"category": "boots"} | fields


def shown(name: str, number: int, at: int, search: str, item: str, campaign: str | None = None) -> dict[str, object]:
    keyword = "boots" if campaign else "Rain Boots"
    click = {"click_id": f"c{number}"} if name == "click" else {"shuffled": False}
    return event(
        name, number, at, search_id=search, item=item, campaign=campaign, keyword=keyword, position=number, **click
    )


def bought(number: int, at: int, item: str, quantity: int, unit_price: int) -> dict[str, object]:
    sold = {"item": item, "quantity": quantity, "unit_price": unit_price, "currency": "USD"}
    return event("purchase", number, at, order_id=f"o{number}", **sold)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Two pages of results: p1 clicked and bought twice the next day, p2 clicked, p1 once organic without a click."""
    night = NOON + 11 * HOUR + 3_000_000
    events = {
        "search": [
            event("search", 1, night, search_id="s1", query="Rain Boots", results=["p1", "p2"]),
            event("search", 2, night + 1, search_id="s2", query="Rain Boots", results=["p1"]),
        ],
        "impression": [
            shown("impression", 1, night, "s1", "p1", "c1"),
            shown("impression", 2, night, "s1", "p2"),
            shown("impression", 3, night, "s2", "p1", "c1"),
        ],
        "click": [
            shown("click", 1, night + HOUR, "s1", "p1", "c1"),
            shown("click", 2, night + HOUR, "s1", "p2"),
        ],
        "purchase": [
            event(
                "purchase", 1, night + 2 * HOUR, order_id="o1", item="p1", quantity=2, unit_price=1_050, currency="USD"
            ),
            event(
                "purchase", 2, night + 3 * HOUR, order_id="o2", item="p1", quantity=1, unit_price=999, currency="USD"
            ),
            event(
                "purchase", 3, night + 99 * HOUR, order_id="o3", item="p2", quantity=1, unit_price=999, currency="USD"
            ),
        ],
    }
    for name, rows in events.items():
        pl.DataFrame([*rows, rows[0]]).write_parquet(tmp_path / f"{name}.parquet")  # the first one comes twice
    (tmp_path / "products.jsonl").write_text(
        '{"schema_version":1,"item":"p1","seller":"s","title":"Boots","category":"boots","price":1050,"updated_at":'
        f"{NOON}}}\n"
    )
    (tmp_path / "campaigns.jsonl").write_text(
        '{"schema_version":1,"campaign":"c1","seller":"s","items":["p1"],"keywords":[{"text":"boots","bid":90}],'
        f'"ad_rate":0.1,"starts_at":{NOON},"updated_at":{NOON}}}\n'
    )
    return History(tmp_path)


def test_clicks_and_purchases_count_under_the_impressions_day(history: History) -> None:
    tables = daily.tables(history, load())
    organic, sponsored = tables["campaign_history"].rows(named=True)
    assert sponsored == {
        "day": date(2026, 3, 30),
        "campaign": "c1",
        "product_id": "p1",
        "keyword": "boots",
        "impressions": 2,
        "clicks": 1,
        "conversions": 1,
        "purchases": 2,
        "units": 3,
        "revenue": 30.99,
        "position": 2.0,
        "category": "boots",
        "seller": "s",
        "ad_rate": 0.1,
        "campaign_created": date(2026, 3, 30),
        "bid": 0.9,
    }
    assert (organic["campaign"], organic["keyword"], organic["clicks"], organic["purchases"]) == (
        None,
        "Rain Boots",
        1,
        0,
    )


def test_searches_tell_what_was_clicked_and_bought_after_them(history: History) -> None:
    tables = daily.tables(history, load())
    (search,) = tables["searches"].rows(named=True)
    assert (search["keyword"], search["searches"], search["shoppers"]) == ("Rain Boots", 2, 1)
    assert (sorted(search["clicked"]), search["purchased"]) == (["p1", "p2"], ["p1", "p1"])
    assert tables["keywords"].rows() == [("Rain Boots", 2, 1, "boots")]


def test_products_carry_their_latest_counts(history: History) -> None:
    (product,) = daily.tables(history, load())["products"].rows(named=True)
    told = {name: product[name] for name in ("product_id", "price", "items_in_category", "clicks_7d", "purchases_30d")}
    assert told == {"product_id": "p1", "price": 10.5, "items_in_category": 1, "clicks_7d": 1, "purchases_30d": 2}


def test_a_markets_tables_are_sound_and_lose_nothing(tmp_path: Path) -> None:
    market = make_market(seed=11, events=30_000, products=200, campaigns=60, keywords=1_500)
    make_past(market, tmp_path / "events")
    write_states(market, tmp_path / "events")
    history, settings = History(tmp_path / "events"), load()
    write(tmp_path / "tables", daily.tables(history, settings))
    reports = check_folder(tmp_path / "tables", datetime.fromtimestamp(UNTIL_MS / 1_000, UTC).date())
    assert {report.table for report in reports} == {"products", "keywords", "campaign_history", "searches"}
    assert not any(report.bad for report in reports)
    counted = read(tmp_path / "tables" / "campaign_history.parquet", TABLES["campaign_history"]).frame
    assert counted.get_column("impressions").sum() == len(history.impressions)
    clicked = history.clicks.unique(["search_id", "item"])
    assert counted.get_column("clicks").sum() == len(clicked)
    bought = attributed(history.clicks, history.purchases, settings.attribution_window_ms)
    assert counted.get_column("purchases").sum() == len(bought)
    searched = read(tmp_path / "tables" / "searches.parquet", TABLES["searches"]).frame
    assert searched.get_column("searches").sum() == len(history.searches)
    assert searched.get_column("purchased").list.len().sum() == len(bought)


def test_the_command_makes_a_market_and_its_tables(tmp_path: Path) -> None:
    sizes = ["--events", "8000", "--days", "2", "--products", "100", "--keywords", "600"]
    answer = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path), "--seed", "3", "--csv", *sizes])
    assert answer.exit_code == 0, answer.output
    assert {path.name for path in tmp_path.glob("*.csv")} == {f"{name}.csv" for name in TABLES if name != "relevance"}
    assert (tmp_path / "events" / "truth.parquet").exists()
    assert CliRunner().invoke(app, ["check", str(tmp_path)]).exit_code == 0
