"""Publishes a shard's sets so that a former owner cannot: the broker fences it.

Strangers read `suggestions.campaign`, and compaction keeps the *last* record of a campaign, so a late list of a former
owner would stand over a newer one. Each shard has a transactional id; whoever calls `init_transactions` last is the
owner, and the other's commit fails. Readers see committed lists only (`read_committed`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from infra.kafka import producer
from infra.log import get_logger
from infra.settings import Settings
from streams.exactly_once import Fenced, Outgoing

log = get_logger(__name__)

_TIMEOUT_S = 30.0
_RETRY_S = 0.5
_FENCED = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)


class ShardPublisher:
    """The transactional producer of one shard. Making it fences the shard's former owner."""

    def __init__(self, settings: Settings, shard: int) -> None:
        self._id = f"{settings.topic_prefix}keypulse-scorer-{shard}"
        self._producer: Producer = producer(
            settings, **{"transactional.id": self._id, "transaction.timeout.ms": 10_000, "linger.ms": 0}
        )
        self._producer.init_transactions(_TIMEOUT_S)
        self.ends: dict[str, int] = {}
        """By topic, the offset after the last message published."""

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish all in one transaction, and return once it is committed.

        Raises:
            Fenced: another worker owns the shard.
            KafkaException: the broker refused for another reason, or took no answer within the time limit.
        """
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                self._transaction(outgoing)
                return
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if error.code() in _FENCED:
                    raise Fenced(f"{self._id}: another worker owns this shard") from None
                if error.fatal() or time.monotonic() > deadline:
                    raise
                log.warning("%s: %s; trying again", self._id, error.str())
                if error.txn_requires_abort():
                    self._producer.abort_transaction(_TIMEOUT_S)
                time.sleep(_RETRY_S)

    def _transaction(self, outgoing: Sequence[Outgoing]) -> None:
        self._producer.begin_transaction()
        for message in outgoing:
            self._producer.produce(
                message.topic, message.value, message.key, message.partition, on_delivery=self._delivered
            )
        self._producer.commit_transaction(_TIMEOUT_S)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.ends[message.topic()] = message.offset() + 1
