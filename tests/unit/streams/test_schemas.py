"""The committed contract documents are fresh, say what the decoders do, and break no released revision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from infra.settings import Settings
from infra.topics import Topics
from streams.contracts import schemas
from streams.contracts.examples import EXAMPLES
from streams.contracts.schemas import CONTRACTS, Contract

FOLDER = Path(__file__).parents[3] / schemas.FOLDER
by_name = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)


def test_the_committed_documents_are_fresh_and_break_no_released_revision() -> None:
    assert schemas.check(FOLDER) == []
    assert schemas.revisions(FOLDER), "no revision was ever released"


@by_name
def test_the_example_is_read_by_the_struct_and_allowed_by_its_schema(contract: Contract) -> None:
    example = EXAMPLES[contract.struct]
    assert msgspec.json.decode(msgspec.json.encode(example), type=contract.struct) == example
    validator = jsonschema.Draft202012Validator(schemas.json_schema(contract))
    validator.check_schema(validator.schema)
    validator.validate(msgspec.to_builtins(example))


@by_name
def test_schema_and_struct_refuse_the_same_wrong_values(contract: Contract) -> None:
    schema = schemas.json_schema(contract)
    validator = jsonschema.Draft202012Validator(schema)
    decoder = msgspec.json.Decoder(contract.struct)
    example = msgspec.to_builtins(EXAMPLES[contract.struct])
    for name in schema["$defs"][contract.name]["required"]:
        for wrong in ({}, example | {name: [{}]}, example | {name: -1.5}):
            value = {k: v for k, v in example.items() if k != name} if wrong == {} else wrong
            assert not validator.is_valid(value)
            with pytest.raises(msgspec.ValidationError):
                decoder.decode(json.dumps(value).encode())


def test_every_public_topic_has_a_contract() -> None:
    topics = Topics.of(Settings.model_construct())
    internal = {topics.deltas, topics.features_log, topics.signals, topics.keywords_seen, topics.controls}
    assert {topic.schema for topic in topics if topic not in internal} == {contract.name for contract in CONTRACTS}


def test_asyncapi_is_well_formed() -> None:
    """What the AsyncAPI 3 specification asks of a document's parts; its own JSON Schema isn't shipped with us."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= document["info"].keys()
    for reference in references(document):
        assert resolve(document, reference), reference
    for server in document["servers"].values():
        assert {"host", "protocol"} <= server.keys()
    addresses = [channel["address"] for channel in document["channels"].values()]
    assert len(addresses) == len(set(addresses))
    assert len(document["operations"]) == len(CONTRACTS)
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = resolve(document, operation["channel"]["$ref"])
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
        for message in channel["messages"].values():
            assert message["$ref"].startswith("#/components/messages/")
    for message in document["components"]["messages"].values():
        schema = {"$ref": message["payload"]["$ref"], "components": document["components"]}
        for example in message["examples"]:
            jsonschema.Draft7Validator(schema).validate(example["payload"])
    assert document["channels"]["Click"]["bindings"]["kafka"]["topicConfiguration"] == {
        "cleanup.policy": ["delete"],
        "retention.ms": Settings.model_construct().event_retention_ms,
        "max.message.bytes": 1_048_576,
        "message.timestamp.type": "LogAppendTime",
    }


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for value in node.values() for each in references(value)]
    return [each for value in node for each in references(value)] if isinstance(node, list) else []


def resolve(document: Any, reference: str) -> Any:
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return resolve(document, found["$ref"]) if "$ref" in found else found


def test_check_finds_stale_documents_and_forbidden_changes(tmp_path: Path) -> None:
    assert len(schemas.check(tmp_path)) == len(CONTRACTS) + 1
    schemas.write(tmp_path)
    assert schemas.check(tmp_path) == []
    assert schemas.write(tmp_path) == []

    first = schemas.release(tmp_path)
    assert first is not None
    assert schemas.release(tmp_path) is None, "nothing changed"
    assert schemas.check(tmp_path) == []

    released = json.loads((first / "Click.json").read_text())
    released["$defs"]["Click"]["properties"]["button"] = {"type": "string"}
    released["$defs"]["Click"]["required"].append("button")
    (first / "Click.json").write_text(json.dumps(released))
    (first / "Hover.json").write_text("{}")
    second = schemas.release(tmp_path)
    assert second is not None
    assert second.name == "2"
    assert schemas.check(tmp_path) == [
        f"Click against {first}: FORWARD $.button: may be missing, and must be there to be read",
        f"Hover against {first}: the message is gone",
    ]
