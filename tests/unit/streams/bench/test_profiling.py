"""Samples of where time goes."""

from __future__ import annotations

import time
from importlib import import_module

import pytest

from streams.bench import profiling
from streams.bench.profiling import GROUPS, OTHER, Sampler, group_of
from streams.normal_form import normal_form


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_grouped_exists(name: str) -> None:
    found, *attributes = _module_and_rest(name)
    for attribute in attributes:
        found = getattr(found, attribute)
    assert found


def _module_and_rest(name: str) -> list:  # type: ignore[type-arg]
    parts = name.split(".")
    return [import_module(".".join(parts[:2])), *parts[2:]]


def test_the_longest_known_part_of_a_name_decides() -> None:
    assert group_of("streams.entity_stage.EntityStage._add") == "add up"
    assert group_of("streams.entity_stage.EntityStage._flush") == "vectors"
    assert group_of("streams.entity_stage.EntityStage._flush.<locals>.<listcomp>") == "vectors"
    assert group_of("streams.somewhere.else") == OTHER


def test_a_busy_function_is_found_and_told_from_one_that_waits() -> None:
    sampler = Sampler()
    with sampler.running():
        end = time.perf_counter() + 0.3
        number = 0
        while time.perf_counter() < end:
            number += 1
            normal_form(f"{number} boots for {number} rains")
        time.sleep(0.1)
    normal = {name: seconds for name, seconds in sampler.cpu_s.items() if name.startswith("streams.normal_form")}
    assert sum(normal.values()) > sum(sampler.cpu_s.values()) / 3
    assert sampler.waiting_s[OTHER] > sampler.cpu_s[OTHER]


def test_a_profile_holds_every_group_and_the_greatest_functions_first() -> None:
    sampler = Sampler()
    sampler.cpu_s.update(
        {"streams.contracts.decoding.EventDecoder.decode": 2e-3, "streams.publisher.KafkaPublisher.publish": 1e-3}
    )
    sampler.waiting_s.update({"streams.publisher.KafkaPublisher.publish": 4e-3})
    profile = profiling._profile(sampler, 1_000)
    assert profile.cpu_us_per_event == {"decode": 2.0, "publish": 1.0}
    assert profile.waiting_us_per_event == {"publish": 4.0}
    assert [function.group for function in profile.functions] == ["decode", "publish"]
