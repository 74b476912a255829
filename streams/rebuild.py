"""Forgets everything that was counted, so that the workers count the event logs again from their beginning."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException

from feature_repo.fence import whole_key
from infra import kafka, redis
from infra.clock import Clock, SystemClock
from infra.failure import Failure
from infra.settings import Settings
from streams.deadletters import buried
from streams.dictionary_topic import published_forms
from streams.exactly_once import CheckpointStore, RedisCheckpoints, Write

GROUPS = ("keypulse-shopper", "keypulse-entity")
"""Consumer groups of the stages."""

_SESSION_S = 15.0
"""A worker that was stopped or killed has left its group by then."""
_PAUSE_S = 0.5


class StillRunning(Failure):
    """A worker still counts."""


def rebuild(settings: Settings, clock: Clock | None = None, sleep: Callable[[float], None] = time.sleep) -> str:
    """Forget the groups' committed offsets, and reset the checkpoints of both stages under a new generation.

    A bad record that has its dead letter gets none again. The online store is left as it is until the new owners write
    every vector again. What was counted from a backfill is lost with the checkpoints: run the backfill again before the
    workers. Returns the version of the dictionary under which they will count.

    Raises:
        Unreachable: a server doesn't answer.
        IncompleteDictionary: the workers could not start; nothing was changed.
        StillRunning: a worker of the group still runs; nothing was changed.
    """
    dictionary = published_forms(settings).version
    _forget_groups(settings, sleep)
    store = redis.connect(settings.checkpoint_redis_url)
    buried.keep(store, settings, buried.find(settings))
    # Time, as Redis may have lost what it last gave out: epochs to the online store, generations to receivers.
    seconds = (clock or SystemClock()).now_ms() // 1_000
    reset(RedisCheckpoints(store, settings.topic_prefix), settings.partitions, seconds)
    online = redis.connect(settings.online_redis_url)
    online.delete(*[whole_key(partition) for partition in range(settings.partitions)])
    return dictionary


def reset(checkpoints: CheckpointStore, partitions: int, at_least: int = 0) -> None:
    """Reset both stages' checkpoints, to epochs and a generation of `at_least` or more.

    Messages of the old generation may still lie in the topic between the stages: the entity stage is told which
    generation to expect of each sender, so it drops them.
    """
    generations: dict[str, int] = {}
    for partition in range(partitions):
        owner = f"shopper/{partition}"
        checkpoints.reset(owner, at_least)
        generations[owner] = checkpoints.acquire(owner).generation
    for partition in range(partitions):
        owner = f"entity/{partition}"
        checkpoints.reset(owner, at_least)
        checkpoint = checkpoints.acquire(owner)
        seen = {sender: (number, 0) for sender, number in generations.items()}
        checkpoints.commit(owner, checkpoint.epoch, Write(seen=seen))


def groups(settings: Settings) -> list[str]:
    """Consumer groups of the stages, by their full names."""
    return [f"{settings.topic_prefix}{group}" for group in GROUPS]


def _forget_groups(settings: Settings, sleep: Callable[[float], None]) -> None:
    kafka.wait_ready(settings)
    client = kafka.admin(settings)
    for name in groups(settings):
        for tries_left in reversed(range(int(_SESSION_S / _PAUSE_S))):
            try:
                client.delete_consumer_groups([name], request_timeout=kafka.REQUEST_S)[name].result()
                break
            except KafkaException as exception:
                code = exception.args[0].code()
                if code == KafkaError.GROUP_ID_NOT_FOUND:
                    break
                if code != KafkaError.NON_EMPTY_GROUP:
                    raise
                if not tries_left:
                    raise StillRunning(
                        f"a worker of {name} still runs: stop all streams workers, then try again"
                    ) from exception
                sleep(_PAUSE_S)
