"""What is wrong with Kafka's options or topics is said with its cure."""

from __future__ import annotations

import pytest

from infra import kafka
from infra.settings import SettingsError, load
from infra.topics import Topics


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"no.such.option": "1"}, "setting kafka_options: .*no.such.option"),
        ({"security.protocol": "tls"}, "setting kafka_options: .*tls.*security.protocol"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere"}, "setting kafka_options: .*ssl.ca.location"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN"}, "setting kafka_options: .*sasl.username"),
    ],
)
def test_what_librdkafka_refuses_is_a_wrong_setting(options: dict[str, str], said: str) -> None:
    settings = load(kafka_options=options)
    for make in (kafka.producer, kafka.admin, lambda settings: kafka.consumer(settings, "g")):
        with pytest.raises(SettingsError, match=said):
            make(settings)


def test_a_topic_that_was_not_created_is_named_with_the_command_that_does() -> None:
    settings = load(kafka_options={"test.mock.num.brokers": "1"})
    kafka.wait_ready(settings)
    with pytest.raises(kafka.TopicMissing, match=r"has no topic signals: run `keypulse topics create`"):
        kafka.wait_ready(settings, Topics.of(settings).signals)
