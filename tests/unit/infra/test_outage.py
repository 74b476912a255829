"""Which errors tell that a server went away, and what becomes of a worker then."""

from __future__ import annotations

import sys

import pytest
from confluent_kafka import KafkaError, KafkaException
from pymilvus.exceptions import MilvusException
from redis.exceptions import AuthenticationError, BusyLoadingError, ConnectionError, ResponseError, TimeoutError

from infra import outage
from infra.failure import Fenced
from infra.reach import Unreachable

GONE = [
    (ConnectionError("Connection refused"), "Redis went away: Connection refused"),
    (TimeoutError("Timeout reading\nfrom socket"), "Redis went away: Timeout reading from socket"),
    (BusyLoadingError("Redis is loading the dataset"), "Redis went away: Redis is loading the dataset"),
    (KafkaException(KafkaError(KafkaError._TRANSPORT, "broker down")), "Kafka went away: broker down"),
    (KafkaException(KafkaError(KafkaError._TIMED_OUT, "7 unacknowledged")), "Kafka went away: 7 unacknowledged"),
    (MilvusException(2, "Fail connecting"), "Milvus went away: <MilvusException: (code=2, message=Fail connecting)>"),
    (Unreachable("a topic does not answer"), "a topic does not answer"),
]
OTHER = [
    AuthenticationError("invalid password"),
    ResponseError("OOM command not allowed"),
    KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)),
    MilvusException(100, "collection not found"),
    Fenced("another owner"),
    ValueError("a mistake of ours"),
]


@pytest.mark.parametrize(("error", "told"), GONE)
def test_an_outage_is_told_in_one_line(error: Exception, told: str) -> None:
    assert outage.outage(error) == told


@pytest.mark.parametrize("error", OTHER)
def test_any_other_error_is_none(error: Exception) -> None:
    assert outage.outage(error) is None


class StartedOver(BaseException):
    """Instead of the exec, which does not return either."""


def test_within_survived_an_outage_starts_the_same_command_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def start_over(why: str) -> None:
        ran.append(why)
        raise StartedOver

    monkeypatch.setattr(outage, "start_over", start_over)
    with pytest.raises(StartedOver), outage.survived():
        raise ConnectionError("Connection refused")
    assert ran == ["Redis went away: Connection refused"]


@pytest.mark.parametrize("error", [*OTHER, Unreachable("waited for in vain")])
def test_within_survived_other_errors_and_a_vain_wait_pass(error: Exception) -> None:
    with pytest.raises(type(error)), outage.survived():
        raise error


def test_starting_over_runs_what_was_run() -> None:
    executed = []

    def execute(program: str, arguments: list[str]) -> None:
        executed.append((program, arguments))

    outage.start_over("Redis went away", execute)  # type: ignore[arg-type]
    assert executed == [(sys.executable, sys.orig_argv)]
