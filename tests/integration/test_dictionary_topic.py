"""The dictionary by its topic, on real Kafka: whole or not at all, and one version for counts, recount and workers."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import msgspec
import pytest

from infra import kafka, redis
from infra.clock import SystemClock
from infra.processes import Processes
from infra.settings import Settings, environment
from infra.topics import Topics
from scorers.keywords.dictionary import load
from streams import app
from streams.canonical import NORMAL, CanonicalForms, forms_file, home_forms, write_forms
from streams.contracts.examples import SEARCH
from streams.dictionary_topic import HEAD, IncompleteDictionary, publish, published_forms, published_version
from streams.exactly_once import Outgoing, RedisCheckpoints
from streams.normal_form import normal_form
from streams.publisher import KafkaPublisher
from streams.rebuild import rebuild
from streams.shopper_stage import OtherDictionary
from tests.wait import until

pytestmark = pytest.mark.integration

FIRST = CanonicalForms("v1", {"hedphones": "headphon", "café mugs": "cafe mug"})
SECOND = CanonicalForms("v2", {"hedphones": "headphon", "on ear headphones": "headphon ~onear"})


@pytest.fixture
def settings(integration_settings: Settings) -> Settings:
    kafka.create_topics(integration_settings)
    return integration_settings


def test_without_one_everything_counts_under_its_normal_form(settings: Settings) -> None:
    assert published_forms(settings) == NORMAL
    assert published_version(settings) == NORMAL.version


def test_a_version_takes_the_place_of_the_one_before(settings: Settings) -> None:
    assert publish(settings, FIRST) == 0
    assert published_forms(settings) == FIRST
    assert publish(settings, SECOND) == 1
    assert published_forms(settings) == SECOND
    assert published_version(settings) == "v2"
    assert publish(settings, FIRST) == 1
    assert published_forms(settings) == FIRST


def test_none_takes_the_dictionary_back(settings: Settings, tmp_path: Path) -> None:
    publish(settings, FIRST)
    write_forms(forms_file(settings), FIRST)
    Processes(environment(settings, "home", "kafka_servers", "topic_prefix"), tmp_path / "logs").run(
        "none", "keywords", "publish", "--none"
    )
    assert published_forms(settings) == home_forms(settings) == NORMAL
    assert published_version(settings) == NORMAL.version


def test_what_is_no_entry_is_refused(settings: Settings) -> None:
    _send(settings, HEAD, b"{}")
    for read in (published_forms, published_version):
        with pytest.raises(IncompleteDictionary, match=r"schema_version.*keypulse keywords publish"):
            read(settings)


@pytest.mark.parametrize("before", [None, FIRST], ids=["nothing before", "a version before"])
def test_half_a_dictionary_is_refused(settings: Settings, before: CanonicalForms | None) -> None:
    if before:
        publish(settings, before)
    entry = {"schema_version": 1, "version": "v2", "canonical": "headphon"}
    _send(settings, b"hedphones", msgspec.json.encode(entry))
    for read in (published_forms, published_version):
        with pytest.raises(IncompleteDictionary, match="keypulse keywords publish"):
            read(settings)
    with pytest.raises(IncompleteDictionary):
        app.stage_service("shopper", settings)
    with pytest.raises(IncompleteDictionary):
        rebuild(settings)
    publish(settings, SECOND)
    assert published_forms(settings) == SECOND
    assert rebuild(settings) == "v2"


def test_a_head_that_counts_more_texts_than_are_there_is_refused(settings: Settings) -> None:
    publish(settings, FIRST)
    _send(settings, HEAD, msgspec.json.encode({"schema_version": 1, "version": "v1", "entries": 3}))
    with pytest.raises(IncompleteDictionary, match="dictionary v1 has 3 texts, of which 2 are there"):
        published_forms(settings)


def test_a_worker_does_not_count_on_under_another_version(settings: Settings) -> None:
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    producer = kafka.producer(settings)
    for number in range(20):
        search = msgspec.structs.replace(SEARCH, event_id=f"e{number}", shopper=f"s{number}", event_time=_now())
        producer.produce(Topics.of(settings).search.name, msgspec.json.encode(search), search.shopper)
    assert producer.flush(30) == 0
    publish(settings, FIRST)
    service = app.stage_service("shopper", settings)
    thread = Thread(target=service.run)
    thread.start()
    until(lambda: all(checkpoints.offsets(f"shopper/{number}") for number in range(settings.partitions)))
    service.stop()
    thread.join()
    publish(settings, SECOND)
    with pytest.raises(OtherDictionary, match=r"under dictionary v1, topic .* has dictionary v2.*keypulse rebuild"):
        app.stage_service("shopper", settings).run()


def test_the_command_publishes_what_was_cleaned(settings: Settings, tmp_path: Path) -> None:
    table = tmp_path / "keywords.csv"
    table.write_text("keyword,searches\nwireless headphones,500\nhedphones wirless,3\nin ear headphones,90\n")
    keypulse = Processes(environment(settings, "home", "kafka_servers", "topic_prefix"), tmp_path / "logs")
    keypulse.run("clean", "keywords", "clean", str(table), f"--out={tmp_path / 'cleaned'}")
    keypulse.run("publish", "keywords", "publish", f"--dictionary={tmp_path / 'cleaned'}")
    forms = load(tmp_path / "cleaned").forms
    assert forms("hedphones wirless") == forms("wireless headphones") == normal_form("wireless headphones")
    assert published_forms(settings) == home_forms(settings) == forms


def _now() -> int:
    return SystemClock().now_ms()


def _send(settings: Settings, key: bytes, value: bytes) -> None:
    topic = Topics.of(settings).dictionary.name
    KafkaPublisher(kafka.producer(settings)).publish([Outgoing(topic, 0, key, value)])
