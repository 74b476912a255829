"""`keypulse validate` tells which record is wrong, where, and what to do about it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from infra.settings import load
from streams.cli import app
from streams.contracts.examples import CAMPAIGN, CLICK, FEEDBACK, IMPRESSION, PRODUCT, PURCHASE, SEARCH
from streams.contracts.validate import Problem, Validator

NOW = 1_760_000_100_000
EXAMPLES = {
    "search": SEARCH,
    "impression": IMPRESSION,
    "click": CLICK,
    "purchase": PURCHASE,
    "campaign": CAMPAIGN,
    "product": PRODUCT,
    "feedback": FEEDBACK,
}


def line(name: str, **fields: Any) -> bytes:
    return json.dumps(msgspec.to_builtins(EXAMPLES[name]) | fields).encode()


def problems(*lines: bytes, only: str | None = None) -> list[Problem | None]:
    return list(Validator(load(), NOW, only).problems(lines))


def the_problem(value: bytes, only: str | None = None) -> Problem:
    [problem] = problems(value, only=only)
    assert problem is not None
    return problem


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_right_record_has_no_problem_however_its_type_is_told(name: str) -> None:
    topic = {"campaign": "state.campaign", "product": "state.product", "feedback": "feedback.suggestion"}
    assert problems(line(name)) == [None]
    assert problems(line(name, type=name)) == [None]
    assert problems(line(name, topic=topic.get(name, f"events.{name}"))) == [None]
    assert problems(line(name), only=name) == [None]


def test_records_are_numbered_as_lines_and_blank_lines_are_skipped() -> None:
    found = problems(line("click"), b"\n", line("click", position=0), line("purchase", quantity="2"))
    assert found[0] is None
    assert [(p.record, p.type, p.field) for p in found[1:] if p] == [
        (3, "click", "$.position"),
        (4, "purchase", "$.quantity"),
    ]


def test_what_is_no_json_or_no_known_message_is_said_so() -> None:
    assert the_problem(b'{"a": ').code == "malformed"
    assert the_problem(b"[1]").message.startswith("no telling which message")
    assert the_problem(b'{"a": 1}', only="click").field == "$.event_id"


def test_the_type_given_comes_before_what_the_record_looks_like() -> None:
    assert the_problem(line("click"), only="purchase").field == "$.order_id"


def test_the_future_is_judged_against_now() -> None:
    assert the_problem(line("click", event_time=NOW + 400_000)).code == "future"


def test_a_misspelt_optional_field_is_a_warning() -> None:
    value = msgspec.to_builtins(CLICK) | {"campain": "c-3"}
    problem = the_problem(json.dumps(value).encode())
    assert problem.warning
    assert (problem.field, problem.code) == ("$.campain", "unknown_field")
    assert "did you mean `campaign`?" in problem.message


def test_an_event_id_on_two_records_is_a_warning_as_the_second_is_not_counted() -> None:
    found = problems(line("click"), line("impression"), line("click", position=7), line("click", event_id="e-9"))
    assert [problem and (problem.record, problem.field, problem.warning) for problem in found] == [
        None,
        None,
        (3, "$.event_id", True),
        None,
    ]


def test_the_command_fails_when_a_record_is_bad_and_reads_stdin() -> None:
    run = CliRunner().invoke
    good = run(app, ["validate", "-"], input=line("click"))
    assert (good.exit_code, good.output) == (0, "1 records, 0 bad\n")
    bad = run(app, ["validate", "-", "--type", "click"], input=line("click") + b"\n" + line("click", item="a|b"))
    assert bad.exit_code == 1
    assert "record 2 (click): invalid at $.item" in bad.output
    assert bad.output.endswith("2 records, 1 bad\n")
    as_json = run(app, ["validate", "-", "--json"], input=line("click", position=0))
    document = json.loads(as_json.output)
    assert (as_json.exit_code, document["records"], document["bad"]) == (1, 1, 1)
    assert document["problems"][0]["field"] == "$.position"
    assert run(app, ["validate", "nowhere.jsonl"]).exit_code == 2
    assert run(app, ["validate", "-", "--type", "clicks"], input=b"").exit_code == 2
