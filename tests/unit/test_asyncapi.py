"""The AsyncAPI document says what the code does: addresses, keys, types, QoS, expiry."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import cbor2
import pytest
import yaml
from pydantic import BaseModel

from sinks.wire.embedding import EmbeddingMap, LedgerMap, QualityMap
from sinks.wire.reports import (
    HealthReport,
    LabelReport,
    MetaReport,
    RecordingReport,
    Score,
    SourceReport,
    StatusReport,
    TruthReport,
)
from sinks.wire.session import Draft, Session
from sinks.wire.topics import Topics
from streamer.types import MODALITIES, Health, Message
from tests.messages import META, T_NS, embedding, recording_status, source_status, truth
from tests.needs import ROOT

SCHEMAS: dict[str, type[BaseModel]] = {
    "Embedding": EmbeddingMap,
    "Quality": QualityMap,
    "Ledger": LedgerMap,
    "Label": LabelReport,
    "Score": Score,
    "Truth": TruthReport,
    "Status": StatusReport,
    "Source": SourceReport,
    "Recording": RecordingReport,
    "Meta": MetaReport,
    "Health": HealthReport,
}

FUSED = replace(embedding(labelled=True), modality="fused", stream="fused")
EXAMPLES: dict[str, tuple[Message, str]] = {
    # channel: (a message, the kind of topic among its drafts)
    "meta": (META, "meta"),
    "source": (source_status(), "source"),
    "recording": (recording_status(), "recording"),
    "embedding": (embedding(labelled=True), "embedding"),
    "embeddingFused": (FUSED, "embedding"),
    "label": (embedding(labelled=True), "label"),
    "labelFused": (FUSED, "label"),
    "truth": (truth(stream="cam"), "truth"),
    "health": (Health(T_NS, {}), "health"),
}


@cache
def document() -> Any:
    return yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))


def resolve(node: Any) -> Any:
    while "$ref" in node:
        here = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            here = here[part]
        node = here
    return node


def draft(channel: str) -> Draft:
    session = Session(Topics("streamer", "robot"), "s")
    if channel == "status":
        return session.status("online", T_NS)
    message, kind = EXAMPLES[channel]
    drafts: Sequence[Draft] = session.drafts(message)
    return next(d for d in drafts if d.topic.split("/")[3] == kind)


@pytest.mark.parametrize("name", SCHEMAS)
def test_keys_and_which_of_them_are_required_are_those_of_the_code(name: str) -> None:
    schema, model = document()["components"]["schemas"][name], SCHEMAS[name]
    assert set(schema["properties"]) == set(model.model_fields)
    required = {key for key, field in model.model_fields.items() if field.is_required()}
    assert set(schema["required"]) == required


def test_every_channel_is_an_operation_and_the_other_way_round() -> None:
    named: dict[str, list[str]] = {"send": [], "receive": []}
    for operation in document()["operations"].values():
        named[operation["action"]].append(operation["channel"]["$ref"].rpartition("/")[2])
    sent, heard = named["send"], named["receive"]
    assert sorted(sent) == sorted([*EXAMPLES, "status"])
    assert heard == ["recordingTrigger"]
    assert sorted([*sent, *heard]) == sorted(document()["channels"])


def test_the_topic_that_is_listened_to_is_that_of_the_code() -> None:
    address: str = document()["channels"]["recordingTrigger"]["address"]
    assert address.format(prefix="a/b", robot="c") == Topics("a/b", "c").recording_trigger


@pytest.mark.parametrize("channel", [*EXAMPLES, "status"])
def test_address_qos_retain_expiry_and_content_type_are_those_of_the_code(channel: str) -> None:
    says, does = document()["channels"][channel], draft(channel)
    address: str = says["address"]
    for name, value in (("prefix", "streamer"), ("robot", "robot")):
        assert says["parameters"][name]["default"] == value
        address = address.replace(f"{{{name}}}", value)
    address = address.replace("{modality}", "vision").replace("{stream}", "cam")
    assert does.topic == address

    (binding,) = [
        operation["bindings"]["mqtt"]
        for operation in document()["operations"].values()
        if operation["channel"]["$ref"] == f"#/channels/{channel}"
    ]
    assert binding["qos"] == does.qos
    assert binding["retain"] == does.retain
    assert binding.get("messageExpiryInterval") == does.expiry_s

    (message,) = [resolve(ref) for ref in says["messages"].values()]
    assert message["contentType"] == does.body.content_type
    payload: Any = (
        cbor2.loads(does.body.stamped(T_NS))
        if message["contentType"] == "application/cbor"
        else yaml.safe_load(does.body.stamped(T_NS))
    )
    conforms(payload, message["payload"], channel)


def conforms(value: Any, schema: Any, where: str) -> None:
    """Enough of JSON Schema for the keywords that the document uses."""
    schema = resolve(schema)
    kinds = {
        "integer": int,
        "number": (int, float),
        "string": str,
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), where
    assert value == schema.get("const", value), where
    assert value in schema.get("enum", [value]), where
    if isinstance(value, int | float):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), where
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), where
        for key, item in value.items():
            known = schema.get("properties", {}).get(key) or schema.get("additionalProperties", {})
            conforms(item, known, f"{where}.{key}")
    if isinstance(value, list) and "items" in schema:
        for item in value:
            conforms(item, schema["items"], where)


def test_modalities_are_those_of_the_code() -> None:
    says = document()["channels"]["embedding"]["parameters"]["modality"]["enum"]
    assert says == list(MODALITIES)
    present = document()["components"]["schemas"]["Truth"]["properties"]["present"]
    assert present["propertyNames"]["enum"] == says
    assert document()["components"]["schemas"]["AnyModality"]["enum"] == [*says, "fused"]


def test_the_reference_for_people_names_every_key() -> None:
    text = (ROOT / "docs" / "reference" / "wire.md").read_text(encoding="utf-8")
    words = set(text.replace("`", " ").replace(",", " ").replace("(", " ").split())
    for model in SCHEMAS.values():
        assert set(model.model_fields) <= words, set(model.model_fields) - words
