"""The watcher: collects and checks every started experiment again and again, and stops an arm that does harm.

It runs in the workers' image, so nothing here draws plots.
"""

from __future__ import annotations

import signal
from threading import Event

from infra import metrics
from infra.clock import Clock, SystemClock
from infra.failure import Failure
from infra.log import get_logger
from infra.outage import survived
from infra.reach import Unreachable
from infra.settings import Settings
from infra.stack import state
from scorers.experiments.collection import GROUP, collect
from scorers.experiments.frozen import Started, folder_of, known, load
from scorers.experiments.status import Status, show, status_of
from scorers.experiments.stops import stop
from scorers.experiments.tables import BadTables, Tables
from scorers.experiments.words import bounds
from streams.exactly_once import SequenceGap
from streams.log_reader import log_reader

log = get_logger(__name__)


def watch_command(every_s: float, metrics_port: int | None, stopping: bool) -> None:
    """Look at every started experiment until SIGTERM; with `stopping`, an arm that breaches its guardrail is stopped.

    Raises:
        KafkaException, Unreachable: the topics cannot be read.
    """
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    settings, clock = state.settings(metrics_port=metrics_port), SystemClock()
    metrics.serve(settings.metrics_port)
    with survived():
        while not ended.is_set():
            for name in known(folder_of(settings)):
                _look(name, settings, clock, stopping)
            ended.wait(every_s)


def _look(name: str, settings: Settings, clock: Clock, stopping: bool) -> None:
    """Collect one experiment and look at it; what is wrong with it alone keeps no other from being watched."""
    try:
        started = load(folder_of(settings), name)
        with log_reader(settings, GROUP) as reader:
            tables = collect(started, settings, reader)
        found = watched(started, tables, clock.now_ms(), settings.late_horizon_ms, stopping)
    except BadTables as why:  # as a rule no list was computed yet
        log.warning("%s: %s", name, why)
    except Unreachable:
        raise
    except (Failure, SequenceGap) as why:
        log.error("%s: %s", name, why)
        metrics.EXPERIMENT_ALARMS.labels(name).set(1)
    else:
        show(found, name)
        log.info("%s", found.text)


def watched(started: Started, tables: Tables, now_ms: int, late_ms: int, stopping: bool) -> Status:
    """One look; with `stopping`, arms that breach their guardrail are stopped, and the status is that afterwards.

    Raises:
        BadTables: exposures don't fit the plan or are none.
        Tampered: a stop that stands already cannot be read.
    """
    found = status_of(started, tables, now_ms, late_ms)
    if not (stopping and found.harmful):
        return found
    margin = started.plan.margins.campaigns_created
    for arm in found.harmful:
        reason = f"campaigns created {bounds(found.guardrail[arm].relative)}, margin {margin:.1%}"
        stop(started, arm, "guardrail", reason, now_ms)
        log.error("%s: arm %s breaches its guardrail and is stopped: %s", started.plan.name, arm, reason)
    return status_of(started, tables, now_ms, late_ms)
