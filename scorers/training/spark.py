"""A Spark session for training: found or refused in one line, quiet, and ended with it."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.failure import Failure
from infra.reach import Unreachable, one_line
from infra.stack.kafka import java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PATIENCE_S = 5.0
_NAMED = re.compile(r"(Caused by: )?[\w.$]*(Error|Exception): .")
_MASTER = re.compile(r"^spark://(?P<host>[^:/,]+):(?P<port>\d+)")


class SparkFailed(Failure):
    """Spark could not do what it was asked. The text says what it said."""


@contextmanager
def spark_session(master: str) -> Iterator[SparkSession]:
    """A session on the cluster at `master`: `local[N]`, `spark://HOST:PORT`, `k8s://...` or `yarn`.

    What a cluster needs besides comes from its own configuration (`SPARK_CONF_DIR`). Errors of Spark within the `with`
    block are raised as `SparkFailed`.

    Raises:
        Failure: PySpark is not installed.
        Unavailable: Java is missing or too old.
        Unreachable: nobody listens at the master's address.
        SparkFailed: it does not take us.
    """
    try:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ModuleNotFoundError as error:
        raise Failure(f"{error.name} is not installed: pip install 'keypulse[spark]'") from None
    java()
    _check_reachable(master)
    for told in ("XGBoost-PySpark", "py4j"):
        logging.getLogger(told).setLevel(logging.WARNING)
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    builder = SparkSession.builder.appName("keypulse").master(master).config(map=quiet)
    if master.startswith("local"):
        # The host's name may lead nowhere; workers are to be this very Python.
        os.environ["PYSPARK_PYTHON"] = sys.executable
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        builder = builder.config(map={"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"})
    try:
        session = builder.getOrCreate()
        try:
            yield session
        finally:
            session.stop()
    except (PySparkException, Py4JError) as error:
        raise SparkFailed(f"Spark at {master} failed: {_reason(error)}") from error


def _check_reachable(master: str) -> None:
    """Spark itself would try for a minute, and then stop the whole process's Java."""
    address = _MASTER.match(master)
    if not address:
        return
    try:
        socket.create_connection((address["host"], int(address["port"])), _PATIENCE_S).close()
    except OSError as error:
        raise Unreachable(f"Spark at {master} does not answer: {one_line(error)}; check --master") from None


def _reason(error: Exception) -> str:
    """The last error that Java's and Python's stack traces name, or the first line of what was said."""
    lines = str(error).splitlines() or [type(error).__name__]
    named = [line for line in lines if _NAMED.match(line)]
    return (named[-1] if named else lines[0]).removeprefix("Caused by: ").strip()
