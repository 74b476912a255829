"""A member that was fenced off: replaced, or forgotten by a broker that died."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from infra.outage import outage
from infra.reach import Unreachable
from streams.membership import Membership

FENCED = KafkaError(KafkaError._FATAL, "Static consumer fenced by other consumer", True)
DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")


def test_a_member_that_was_replaced_ends() -> None:
    with pytest.raises(KafkaException) as ended:
        Membership().check(FENCED)
    assert outage(ended.value) is None


def test_a_member_that_a_broker_forgot_when_it_died_starts_over() -> None:
    membership = Membership()
    membership.heard(DOWN)
    with pytest.raises(Unreachable, match="knows this worker no longer: Static consumer fenced") as forgotten:
        membership.check(FENCED)
    assert outage(forgotten.value)


def test_an_outage_alone_is_lived_through() -> None:
    membership = Membership()
    membership.heard(DOWN)
    membership.check(KafkaError(KafkaError._TRANSPORT, "disconnected", False, True))
