"""The report's shape: what a reader of `reports/bench.json` and of the terminal can count on."""

from __future__ import annotations

import io
import json

from rich.console import Console

from streams.bench import report as reports
from streams.bench.report import Events, Exactness, Function, Machine, Profile, Report, Result, result
from streams.verification import Verdict


def _result(what: str, rate: float, cpu: float, verdict: Verdict | None = None) -> Result:
    return result(what, 1_000, 1_000 / rate, {"one": cpu, "all": cpu}, {"one": 321}, verdict)


def _report() -> Report:
    exact = Verdict(compared=70)
    results = {
        "keypulse": _result("keypulse", 100_000, 10, exact),
        "limit": _result("limit", 400_000, 2),
        "plain_agent": _result("plain agent", 1_000, 1_000, exact),
    }
    profile = Profile(
        events=1_000,
        cpu_us_per_event={"decode": 2.0, "publish": 0.1},
        waiting_us_per_event={"publish": 1.5},
        functions=[Function(name="contracts.decoding.EventDecoder.decode", group="decode", cpu_us_per_event=2.0)],
    )
    return Report(
        machine=Machine(cpus=2, python="3.11", load_before=0.1, parts={"kafka": {"kind": "k", "version": "4.1"}}),
        events=Events(records={"search": 100, "impression": 900}, mean_bytes=250.0, span_s=3_600.0),
        results=results,
        ratios=reports.ratios(results),
        offline={"history": reports.pace(900_000, 1), "backfill": reports.pace(900_000, 7.5)},
        profile={"shopper": profile, "entity": profile},
    )


def test_ratios_are_ours_over_each_other() -> None:
    assert _report().ratios == {
        "throughput_over_limit": 0.25,
        "cpu_over_limit": 5.0,
        "throughput_over_plain_agent": 100.0,
        "cpu_over_plain_agent": 0.01,
    }


def test_json_has_the_documented_keys() -> None:
    told = json.loads(reports.to_json(_report()))
    assert set(told) == {"machine", "events", "results", "ratios", "offline", "profile"}
    assert set(told["results"]) == {"keypulse", "limit", "plain_agent"}
    assert told["results"]["keypulse"]["exactness"] == {"compared": 70, "mismatches": 0, "examples": []}
    assert told["results"]["limit"]["exactness"] is None
    assert set(told["profile"]) == {"shopper", "entity"}
    assert told["profile"]["shopper"]["functions"][0]["group"] == "decode"


def test_tables_show_each_contender_and_each_group() -> None:
    console = Console(file=io.StringIO(), width=200)
    for table in reports.tables(_report()):
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "100,000" in shown
    assert "0.25x" in shown
    assert "100.00x" in shown
    assert "70 of 70" in shown
    assert "120,000" in shown
    assert "321" in shown
    assert "EventDecoder.decode 2.00" in shown


def test_a_result_is_what_was_measured_and_its_rate() -> None:
    found = result("us", 300, 2.00049, {"all": 1.0}, {"us": 9}, Verdict(compared=2, mismatches=1, examples=["item:1"]))
    assert (found.events, found.seconds, found.events_per_second) == (300, 2.0, 150.0)
    assert found.exactness == Exactness(compared=2, mismatches=1, examples=["item:1"])
    assert result("limit", 300, 2.0, {"all": 1.0}, {"us": 9}).exactness is None
