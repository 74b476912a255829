"""What is paused, and that a bad record changes nothing."""

from __future__ import annotations

import logging

import msgspec
import pytest

from scorers.worker.controls import Controls
from streams.contracts.messages import Control


def control(category: str, paused: bool) -> bytes:
    return msgspec.json.encode(Control(category=category, paused=paused, by="ann", at=1))


def test_nothing_is_paused_at_first() -> None:
    assert not Controls().paused("boots")


def test_a_category_or_all_can_be_paused_and_each_pause_ends_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    controls = Controls()
    with caplog.at_level(logging.WARNING):
        controls.take(control("boots", True))
    assert "suggestions paused for category boots by ann" in caplog.text
    assert controls.paused("boots")
    assert not controls.paused("lamps")
    controls.take(control("*", True))
    assert controls.paused("lamps")
    controls.take(control("*", False))
    assert controls.paused("boots")
    assert not controls.paused("lamps")
    controls.take(control("boots", False))
    assert not controls.paused("boots")


def test_a_record_that_cannot_be_read_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    controls = Controls()
    controls.take(control("boots", True))
    controls.take(b"{nonsense")
    controls.take(None)
    assert controls.paused("boots")
    assert "cannot be read" in caplog.text
