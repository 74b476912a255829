"""Forgets everything that was counted, so that the workers count the event logs again from their beginning."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from feature_repo.fence import whole_key
from infra import kafka, redis
from infra.settings import Settings
from streams.exactly_once import CheckpointStore, RedisCheckpoints, Write

GROUPS = ("keypulse-shopper", "keypulse-entity")
"""Consumer groups of the stages."""


def rebuild(settings: Settings) -> None:
    """Reset the checkpoints of both stages, raise their generation, and forget the groups' committed offsets.

    The online store is left as it is until the new owners write every vector again. What was counted from a backfill is
    lost with the checkpoints: run the backfill again before the workers.

    Raises:
        Unreachable: a server doesn't answer.
        KafkaException: a worker of the group still runs.
    """
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    reset(checkpoints, settings.partitions)
    client = kafka.admin(settings)
    groups = [f"{settings.topic_prefix}{group}" for group in GROUPS]
    for deletion in client.delete_consumer_groups(groups).values():
        try:
            deletion.result()
        except KafkaException as exception:
            if exception.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise
    online = redis.connect(settings.online_redis_url)
    online.delete(*[whole_key(partition) for partition in range(settings.partitions)])


def reset(checkpoints: CheckpointStore, partitions: int) -> None:
    """Reset both stages' checkpoints.

    Messages of the old generation may still lie in the topic between the stages: the entity stage is told which
    generation to expect of each sender, so it drops them.
    """
    generations: dict[str, int] = {}
    for partition in range(partitions):
        owner = f"shopper/{partition}"
        checkpoints.reset(owner)
        generations[owner] = checkpoints.acquire(owner).generation
    for partition in range(partitions):
        owner = f"entity/{partition}"
        checkpoints.reset(owner)
        checkpoint = checkpoints.acquire(owner)
        seen = {sender: (generation, 0) for sender, generation in generations.items()}
        checkpoints.commit(owner, checkpoint.epoch, Write(seen=seen))
