"""A server that goes away while a worker runs: the worker says so in one line and starts over.

It starts over in the same process, by exec: nothing of what it holds in memory is trusted, as after kill -9, and what
it waits for at its start (`infra.reach`) it waits for now.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from confluent_kafka import KafkaError, KafkaException
from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError

from infra.log import get_logger
from infra.reach import Unreachable, one_line

log = get_logger(__name__)

_KAFKA_GONE = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._WAIT_COORD,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NETWORK_EXCEPTION,
}


def outage(error: BaseException) -> str | None:
    """Which server went away, and what its client says, if that is what `error` tells; else nothing."""
    if isinstance(error, Unreachable):
        return str(error)
    if isinstance(error, ConnectionError | TimeoutError) and not isinstance(error, AuthenticationError):
        return f"Redis went away: {one_line(error)}"
    if isinstance(error, KafkaException) and error.args[0].code() in _KAFKA_GONE:
        return f"Kafka went away: {error.args[0].str()}"
    if _is_of_milvus(error):
        return f"Milvus went away: {one_line(error)}"
    return None


def _is_of_milvus(error: BaseException) -> bool:
    if "pymilvus" not in sys.modules:  # and it takes a second to import
        return False
    from grpc import RpcError, StatusCode
    from pymilvus.client.types import Status
    from pymilvus.exceptions import MilvusException

    gone = {Status.CONNECT_FAILED, StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED}
    if isinstance(error, MilvusException):
        return error.code in gone
    return isinstance(error, RpcError) and error.code() in gone


def start_over(why: str, again: Callable[[str, list[str]], NoReturn] = os.execv) -> NoReturn:
    """Run this process's command anew, in this process."""
    log.error("%s; starting over", why)
    sys.stdout.flush()
    again(sys.executable, sys.orig_argv)


@contextmanager
def survived() -> Iterator[None]:
    """Start over when a server goes away within.

    Raises:
        Unreachable: a server was waited for in vain.
    """
    try:
        yield
    except Unreachable:
        raise
    except Exception as error:
        if why := outage(error):
            start_over(why)
        raise
