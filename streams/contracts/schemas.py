"""The documents that describe every public message, generated from the structs, and the check on how they changed.

`docs/contracts/` holds one JSON Schema a message, an AsyncAPI 3 document of topics and messages, and under
`history/v<schema version>/<revision>/` each schema that was ever released, against which a change is judged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from infra.settings import Settings
from infra.topics import Topic, Topics
from streams.contracts.compatibility import Mode, Schema, compatibility
from streams.contracts.events import SCHEMA_VERSION, Click, Impression, Purchase, Search
from streams.contracts.examples import EXAMPLES
from streams.contracts.messages import (
    CampaignState,
    DeadLetter,
    DictionaryEntry,
    Exposure,
    Feedback,
    ProductState,
    SuggestionSet,
)

FOLDER = Path("docs/contracts")


@dataclass(frozen=True)
class Contract:
    """A public message: how it may change, and whether we `send` or `receive` it."""

    struct: type[Struct]
    mode: Mode
    action: str

    @property
    def name(self) -> str:
        return self.struct.__name__


CONTRACTS = (
    # Read, and read again from the log by a rebuild or a restart: old records must stay readable too.
    Contract(Search, "FULL", "receive"),
    Contract(Impression, "FULL", "receive"),
    Contract(Click, "FULL", "receive"),
    Contract(Purchase, "FULL", "receive"),
    Contract(CampaignState, "FULL", "receive"),
    Contract(ProductState, "FULL", "receive"),
    # Read once.
    Contract(Feedback, "FORWARD", "receive"),
    # Published.
    Contract(SuggestionSet, "FULL", "send"),
    Contract(DeadLetter, "FULL", "send"),
    Contract(Exposure, "FULL", "send"),
    Contract(DictionaryEntry, "FULL", "send"),
)
"""Why each message has its mode: docs/decisions, "How messages may change"."""


def json_schema(contract: Contract) -> Schema:
    """JSON Schema (2020-12) of a message."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(contract.struct)}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document: topics as an unchanged configuration creates them, messages, keys, examples."""
    settings = Settings.model_construct()
    by_schema = {topic.schema: topic for topic in Topics.of(settings)}
    _, schemas = msgspec.json.schema_components(
        [contract.struct for contract in CONTRACTS], ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Keypulse",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": (
                "What Keypulse reads and publishes. Values are JSON in UTF-8; times are milliseconds since 1970, UTC; "
                "money is whole minor units (cents). Keys are placed by murmur2, Java's default partitioner: "
                "librdkafka must be told partitioner=murmur2_random."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {"host": settings.kafka_servers, "protocol": "kafka", "description": "setting kafka_servers"}
        },
        "channels": {c.name: _channel(c, by_schema[c.name]) for c in CONTRACTS},
        "operations": {
            f"{c.action}{c.name}": {
                "action": c.action,
                "channel": {"$ref": f"#/channels/{c.name}"},
                "messages": [{"$ref": f"#/channels/{c.name}/messages/{c.name}"}],
            }
            for c in CONTRACTS
        },
        "components": {
            "messages": {c.name: _message(c, by_schema[c.name]) for c in CONTRACTS},
            "schemas": schemas,
        },
    }


def _channel(contract: Contract, topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"Written by: {topic.written_by}. Read by: {topic.read_by}. Key: {topic.key}.",
        "messages": {contract.name: {"$ref": f"#/components/messages/{contract.name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": 1,
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": topic.max_message_bytes,
                    "message.timestamp.type": topic.timestamp_type,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(contract: Contract, topic: Topic) -> dict[str, Any]:
    return {
        "name": contract.name,
        "summary": (contract.struct.__doc__ or "").split("\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{contract.name}"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"},
        },
        "examples": [{"name": contract.name, "payload": msgspec.to_builtins(EXAMPLES[contract.struct])}],
    }


def documents() -> dict[str, str]:
    """Every generated document: path under `docs/contracts/` -> text."""
    texts = {f"schemas/{contract.name}.json": _as_json(json_schema(contract)) for contract in CONTRACTS}
    header = "# Generated by `keypulse contracts write`; edit the structs in streams/ instead.\n"
    texts["asyncapi.yaml"] = header + yaml.safe_dump(asyncapi(), sort_keys=False, width=120, allow_unicode=True)
    return texts


def write(folder: Path = FOLDER) -> list[str]:
    """Write the documents that differ; their paths."""
    stale = {path: text for path, text in documents().items() if _text(folder / path) != text}
    for path, text in stale.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return list(stale)


def check(folder: Path = FOLDER) -> list[str]:
    """What is wrong: documents that are stale, and changes that a message's mode forbids.

    Transitive: the schemas of today are judged against every released revision of this schema version.
    """
    problems = [
        f"{folder / path} is stale: run `keypulse contracts write`"
        for path, text in documents().items()
        if _text(folder / path) != text
    ]
    for revision in revisions(folder):
        for contract in CONTRACTS:
            path = revision / f"{contract.name}.json"
            if path.exists():
                broken = compatibility(json.loads(path.read_text()), json_schema(contract), contract.mode)
                problems += [f"{contract.name} against {path.parent}: {problem}" for problem in broken]
        gone = {path.stem for path in revision.glob("*.json")} - {contract.name for contract in CONTRACTS}
        problems += [f"{name} against {revision}: the message is gone" for name in sorted(gone)]
    return problems


def release(folder: Path = FOLDER) -> Path | None:
    """Add today's schemas to the history as its next revision; None when nothing changed since the last one."""
    texts = {f"{contract.name}.json": _as_json(json_schema(contract)) for contract in CONTRACTS}
    known = revisions(folder)
    if known and {path.name: path.read_text() for path in known[-1].glob("*.json")} == texts:
        return None
    place = _history(folder) / str(len(known) + 1)
    place.mkdir(parents=True)
    for name, text in texts.items():
        (place / name).write_text(text)
    return place


def revisions(folder: Path) -> list[Path]:
    """Folders of the released revisions of this schema version, oldest first."""
    return sorted(_history(folder).glob("*"), key=lambda place: int(place.name))


def _history(folder: Path) -> Path:
    return folder / "history" / f"v{SCHEMA_VERSION}"


def _as_json(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
