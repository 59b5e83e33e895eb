"""The `record` part of a configuration: names of files, and what is kept secret."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from configs.load import load_sensors, parse_run
from configs.record import Record, part
from configs.redacted import redacted
from configs.schema import RunConfig
from streamer.cli import session
from streamer.errors import ConfigError
from streamer.types import NS_PER_S

NEW_YEAR = 1_767_225_599 * NS_PER_S  # 2025-12-31 23:59:59 UTC


def test_a_name_holds_the_time_in_utc(tmp_path: Path) -> None:
    settings = Record(path=tmp_path / "run-%Y%m%d-%H%M%S.mcap")
    assert settings.file(NEW_YEAR) == tmp_path / "run-20251231-235959.mcap"
    assert settings.file(NEW_YEAR + NS_PER_S) == tmp_path / "run-20260101-000000.mcap"


def test_parts_are_numbered_from_the_second_on() -> None:
    names = [part(Path("logs/run.mcap"), number).as_posix() for number in range(3)]
    assert names == ["logs/run.mcap", "logs/run.1.mcap", "logs/run.2.mcap"]


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.write_bytes(b"precious")
    with pytest.raises(ConfigError, match=r"record.path: .*run.mcap exists; .*run-%Y%m%d-%H%M%S"):
        Record(path=path).file(NEW_YEAR)


@pytest.mark.parametrize("other", ["run.1.mcap", "run.27.mcap"])
def test_nor_is_what_would_be_a_part(tmp_path: Path, other: str) -> None:
    (tmp_path / other).write_bytes(b"precious")
    path = tmp_path / "run.mcap"
    for settings in (Record(path=path), Record(path=path, rotate_s=60)):
        with pytest.raises(ConfigError, match=rf"{other} exists"):
            settings.file(NEW_YEAR)


@pytest.mark.parametrize("other", ["run.x.mcap", "run.01.mcap", "rerun.1.mcap", "run.1.txt"])
def test_other_files_are_no_parts(tmp_path: Path, other: str) -> None:
    (tmp_path / other).write_bytes(b"precious")
    path = tmp_path / "run.mcap"
    assert Record(path=path, rotate_s=60).file(NEW_YEAR) == path


def test_it_is_found_out_before_a_model_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.write_bytes(b"precious")
    text = f"sources: [{{kind: demo_clip}}]\nencoder: {{kind: noop}}\nrecord: {{path: {path}}}\n"
    with pytest.raises(ConfigError, match=r"record.path: .*run.mcap exists"):
        session.preflight(parse_run(text, "test"))


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"record.path: no such folder: .*none"):
        Record(path=tmp_path / "none" / "run.mcap").file(NEW_YEAR)


@pytest.mark.parametrize("wrong", [{"rotate_s": 0.5}, {"rotate_mb": 0}, {"quality": 0}, {"a": 1}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Record.model_validate({"path": "run.mcap", **wrong})


def test_how_is_recorded_can_be_set_without_saying_where(tmp_path: Path) -> None:
    for part_of in ("", "record:\n", "record: {path: old.mcap, quality: 50}\n"):
        text = f"sources: [{{kind: demo_clip}}]\n{part_of}"
        config = tmp_path / "config.yaml"
        config.write_text(text, encoding="utf-8")
        overrides = [] if part_of == "record:\n" else ["record.pictures=png"]
        keep = load_sensors(str(config), overrides, record_to=tmp_path / "new.mcap").record
        assert keep is not None
        assert keep.path == tmp_path / "new.mcap"
        assert keep.pictures == ("png" if overrides else "jpeg")
        assert keep.quality == (50 if "quality" in part_of else 90)
    config.write_text("sources: [{kind: demo_clip}]\nrecord: 5\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="record"):
        load_sensors(str(config), record_to=tmp_path / "new.mcap")


CAMERAS = """
sources:
  - {kind: camera, stream: gate, url: "rtsp://robot:hunter2@10.0.0.5/s1?token=abc123&size=2"}
  - {kind: camera, stream: yard, url: "http://10.0.0.6/live", user: robot, password_env: YARD}
  - kind: camera
    stream: door
    width: 640
    height: 480
    pipeline: rtspsrc location=rtsp://10.0.0.7/s user-id=robot user-pw="let me in" ! decodebin
encoder: {kind: noop}
sinks: [{kind: mqtt, user: robot, password_env: MQTT_PASSWORD}]
"""


def test_a_stored_configuration_holds_no_password_and_is_one_still() -> None:
    config = parse_run(CAMERAS, "test")
    stored = yaml.safe_dump(redacted(config.model_dump(mode="json")))
    for secret in ("hunter2", "abc123", "let me in"):
        assert secret in CAMERAS
        assert secret not in stored
    for told in ("10.0.0.5/s1", "user-id=robot", "password_env: MQTT_PASSWORD", "! decodebin"):
        assert told in stored
    again = RunConfig.model_validate(yaml.safe_load(stored))
    assert again.sources[1] == config.sources[1]
    assert again.sinks == config.sinks


@given(st.text(alphabet="abc:/?#[]@!$&()*+;=% ", max_size=20), st.text("xyz", min_size=8))
def test_whatever_stands_before_the_host_is_hidden(user: str, password: str) -> None:
    address = f"rtsp://{''.join(user.split())}:{password}@camera/stream"
    assert password not in redacted(address)
    assert redacted(address).startswith("rtsp://***@")


@pytest.mark.parametrize("plain", ["walk.csv", "streamer", 5, None, True, 0.5, "a@b", "x: y", ""])
def test_what_is_no_secret_stays(plain: object) -> None:
    assert redacted({"a": [plain]}) == {"a": [plain]}
