"""State rows written again after the online store lost them: read off the compacted topics by whom they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from redis import Redis, RedisCluster

from infra.clock import Clock
from infra.log import get_logger
from infra.settings import Settings
from infra.topics import Topic
from streams.log_reader import log_reader
from streams.stage import Record

log = get_logger(__name__)

_WRITTEN = "keypulse:{live}:written"
"""Hash of the partitions whose rows the online store holds. It is lost when the rows are."""
_BATCH = 500


class Rows(Protocol):
    """An agent, as far as it writes rows."""

    topic: Topic

    def handle(self, records: Sequence[Record], now_ms: int) -> object: ...


def reload_if_emptied(
    settings: Settings, online: Redis | RedisCluster, agent: Rows, partitions: Iterable[int], group: str, clock: Clock
) -> int:
    """Have `agent` write the rows of those of its `partitions` that the online store no longer knows.

    The caller owns the partitions, and lets the agent take nothing else meanwhile: else an old state might be written
    over a newer one. A partition that the agent's consumer `group` never committed is only marked: the agent will come
    to its records by itself. No signal is sent: nothing changed. Blocks for as long as the topic takes to read.

    Returns:
        How many records were read.
    """
    fields = {part: f"{agent.topic.name}/{part}" for part in sorted(partitions)}
    known: dict[bytes, bytes] = online.hgetall(_WRITTEN)  # type: ignore[assignment]  # typed as maybe asynchronous
    missing = [part for part, name in fields.items() if name.encode() not in known]
    if not missing:
        return 0
    count = 0
    with log_reader(settings, group) as reader:
        emptied = {part for part in missing if reader.committed(agent.topic, part) is not None}
        records = reader.until_now(agent.topic, lambda part, low, high: low if part in emptied else high)
        while batch := list(islice(records, _BATCH)):
            agent.handle(batch, clock.now_ms())
            count += len(batch)
    online.hset(_WRITTEN, mapping={fields[part]: clock.now_ms() for part in missing})
    if emptied:
        log.warning("the online store had lost %s: wrote it again from %d records", agent.topic.name, count)
    return count
