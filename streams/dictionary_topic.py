"""The dictionary on its way to who counts: a compacted topic, read whole when a worker starts.

Its records are the texts that do not count under their normal form. The head, written last, says of which version the
dictionary is and how many texts it has, so that one half written is told from a whole one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from infra import kafka
from infra.failure import Failure
from infra.settings import Settings
from infra.topics import Topics
from streams.canonical import NO_VERSION, NORMAL, CanonicalForms
from streams.contracts.messages import DictionaryEntry
from streams.exactly_once import Outgoing
from streams.log_reader import log_reader
from streams.publisher import KafkaPublisher
from streams.stage import Record

HEAD = b"HEAD"
"""Key of the head. No folded text is written in capitals."""

SCHEMA_VERSION = 1
_GROUP = "dictionary"
_CURE = "run `keypulse keywords publish` (again, to its end)"


class IncompleteDictionary(Failure):
    """The topic holds part of a dictionary: a publication was cut short, or is under way."""


def publish(settings: Settings, forms: CanonicalForms) -> int:
    """Replace the topic's dictionary, and wait until the broker has it; how many texts of the one before are gone.

    `NORMAL` takes the one before back.

    Raises:
        Unreachable: the broker does not answer.
        TopicMissing: topics were not created.
        KafkaException: the broker did not take it.
    """
    topic = Topics.of(settings).dictionary
    kafka.wait_ready(settings, topic)
    with log_reader(settings, _GROUP) as reader:
        before = {record.key: record.value for record in reader.until_now(topic) if record.key != HEAD}
    gone = [key for key, value in before.items() if key and value and key.decode() not in forms.forms]

    def records() -> Iterator[Outgoing]:
        for text, canonical in forms.forms.items():
            entry = DictionaryEntry(schema_version=SCHEMA_VERSION, version=forms.version, canonical=canonical)
            yield Outgoing(topic.name, 0, text.encode(), msgspec.json.encode(entry))
        for key in gone:
            yield Outgoing(topic.name, 0, key, None)

    head = None
    if forms.version:
        entry = DictionaryEntry(schema_version=SCHEMA_VERSION, version=forms.version, entries=len(forms.forms))
        head = msgspec.json.encode(entry)
    publisher = KafkaPublisher(kafka.producer(settings))
    publisher.publish(list(records()))
    publisher.publish([Outgoing(topic.name, 0, HEAD, head)])
    return len(gone)


def published_forms(settings: Settings) -> CanonicalForms:
    """The topic's dictionary; the normal forms when none was ever published.

    Raises:
        Unreachable: the broker does not answer.
        TopicMissing: topics were not created.
        IncompleteDictionary: part of it is missing, or is of another version.
    """
    entries: dict[bytes, DictionaryEntry] = {}
    topic = Topics.of(settings).dictionary
    kafka.wait_ready(settings, topic)
    with log_reader(settings, _GROUP) as reader:
        for record in reader.until_now(topic):
            key = record.key or b""
            if record.value is None:
                entries.pop(key, None)
            else:
                entries[key] = _decoded(record)
    if not entries:
        return NORMAL
    head = entries.pop(HEAD, None)
    if head is None:
        raise IncompleteDictionary(f"topic {topic.name} holds {len(entries):,} texts and no head: {_CURE}")
    forms = {key.decode(): entry.canonical for key, entry in entries.items() if entry.version == head.version}
    if len(forms) != head.entries or len(entries) != head.entries:
        raise IncompleteDictionary(
            f"topic {topic.name}: dictionary {head.version} has {head.entries:,} texts, of which {len(forms):,} are "
            f"there, beside {len(entries) - len(forms):,} of other versions: {_CURE}"
        )
    return CanonicalForms(head.version, forms)


def published_version(settings: Settings) -> str:
    """Version of the topic's dictionary; `NO_VERSION` when none was ever published. Reads the last record alone.

    Raises:
        Unreachable: the broker does not answer.
        TopicMissing: topics were not created.
        IncompleteDictionary: that is no head.
    """
    topic = Topics.of(settings).dictionary
    kafka.wait_ready(settings, topic)
    with log_reader(settings, _GROUP) as reader:
        last = list(reader.until_now(topic, lambda _, low, high: max(low, high - 1)))
    if last and last[-1].key != HEAD:
        raise IncompleteDictionary(f"topic {topic.name} does not end with its head: {_CURE}")
    return _decoded(last[-1]).version if last and last[-1].value is not None else NO_VERSION


def _decoded(record: Record) -> DictionaryEntry:
    try:
        return msgspec.json.decode(record.value or b"", type=DictionaryEntry)
    except msgspec.MsgspecError as error:
        raise IncompleteDictionary(f"topic {record.topic}, record {record.key!r}: {error}; {_CURE}") from None
