"""Names in topics: what a broker would take as a wildcard or a level never gets into one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sinks.mqtt.sink import MqttSink
from sinks.wire.topics import Topics, check_level, check_prefix

TOPICS = Topics("site/floor1", "r2")


def test_the_topics_of_a_robot() -> None:
    root = "site/floor1/v1/r2"
    assert TOPICS.status == f"{root}/status"
    assert TOPICS.meta == f"{root}/meta"
    assert TOPICS.health == f"{root}/health"
    assert TOPICS.source_status("cam") == f"{root}/source/cam/status"
    assert TOPICS.recording_status == f"{root}/recording/status"
    assert TOPICS.embedding("vision", "cam") == f"{root}/embedding/vision/cam"
    assert TOPICS.label("audio", "mic") == f"{root}/label/audio/mic"
    assert TOPICS.truth("world") == f"{root}/truth/world"
    assert TOPICS.embedding("fused", "whatever") == f"{root}/embedding/fused"
    assert TOPICS.label("fused", "whatever") == f"{root}/label/fused"
    assert TOPICS.everything == f"{root}/#"


@pytest.mark.parametrize("name", ["", "a/b", "+", "a#", "a\0b", "a\nb", "$SYS", "x" * 129])
def test_a_name_that_cannot_be_a_level_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"topic level|belong to the broker"):
        check_level(name)
    with pytest.raises(ValueError, match=r"topic level|belong to the broker"):
        TOPICS.embedding("vision", name)
    with pytest.raises(ValueError, match=r"topic level|belong to the broker"):
        TOPICS.truth(name)
    with pytest.raises(ValidationError):
        MqttSink(robot=name)


@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a//b", "a/+/b", "$share/g", "x/" * 300])
def test_a_bad_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"topic|belong to the broker"):
        check_prefix(prefix)
    with pytest.raises(ValidationError):
        MqttSink(prefix=prefix)


@given(st.text(max_size=20))
def test_a_name_that_passes_is_one_level_and_no_wildcard(name: str) -> None:
    try:
        check_level(name)
    except ValueError:
        return
    topic = TOPICS.embedding("vision", name)
    assert topic.count("/") == 6
    assert not set("+#\0") & set(topic)
