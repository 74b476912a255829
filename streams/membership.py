"""What the group's coordinator tells of our membership: what mends itself, what makes us start over, what ends us."""

from __future__ import annotations

from confluent_kafka import KafkaError

from infra.reach import Unreachable
from streams import topic_readers


class Membership:
    """A static member's.

    Kafka fences a member off once another has its `group.instance.id`. A broker that died and came back may do so to
    the only one it has, which it knows by an id of before (confluentinc/confluent-kafka-go#494). The two look alike but
    for the outage: after one the worker starts over, once; without, it was replaced, and ends.
    """

    def __init__(self) -> None:
        self._outlived = False

    def heard(self, error: KafkaError) -> None:
        """The member's `error_cb`."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._outlived = True

    def check(self, error: KafkaError) -> None:
        """As `topic_readers.check`.

        Raises:
            Unreachable: fenced off after an outage.
            KafkaException: whatever else the client can't mend.
        """
        if error.fatal() and self._outlived:
            raise Unreachable(f"Kafka went away, and knows this worker no longer: {error.str()}")
        topic_readers.check(error)
