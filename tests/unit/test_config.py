"""Configurations: the shipped ones load, mistakes are one line with the path of the field."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from configs.load import label_set, load, load_sensors
from configs.schema import RunConfig
from encoders.noop import NoopEncoder
from encoders.zeroshot import TEMPERATURES
from sources.synthetic import SyntheticSource
from streamer.errors import ConfigError
from tests.needs import ROOT

SOURCE = {"kind": "synthetic", "stream": "front", "modality": "vision", "rate_hz": 30}
MINIMAL = {
    "sources": [SOURCE],
    "encoder": {"kind": "noop"},
}


def written(tmp_path: Path, tree: object) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return str(path)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_configuration_is_valid_and_explained(path: Path) -> None:
    config = load(str(path))
    assert config.sources
    assert config.labels
    label_set(config.labels.set)
    comments = [line for line in path.read_text().splitlines() if "#" in line]
    assert len(comments) >= 8


def test_a_built_in_configuration_is_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("demo") == load(str(ROOT / "configs" / "demo.yaml"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sources.0.fps=30", "sources.0.synthetic.fps: Extra inputs are not permitted"),
        ("windows.hop=1", "windows.hop: Extra inputs are not permitted"),
        ("windows.hop_s=0", "windows.hop_s: Input should be greater than or equal to 0.001"),
        ("windows.hop_s=0.0015", "windows: hop_s: expected whole milliseconds, got 0.0015"),
        ("fusion.weights.vision=5e-324", "fusion.weights.vision: expected 0 or at least 1e-6"),
        ("windows.start=2026-02-30", "--set windows.start=2026-02-30: the value is not YAML"),
        ("sources.0.stream=fused", "configuration: sources: fused names the joint embedding"),
        ("sources.0.stream=a/b", "configuration: sources: stream name 'a/b': '/' is not allowed"),
        ("encoder.kind=clip", "encoder: Input tag 'clip' found using 'kind' does not match"),
        ("sources.5.kind=x", "--set sources.5.kind=x: expected an index below 1, got 5"),
        ("nonsense", "--set nonsense: expected key=value"),
        ("sources.0.stream.x.y=1", "--set sources.0.stream.x.y=1: nothing below x"),
        (
            "encoder={kind: imagebind, weights: random, model: {vision_width: 3}}",
            "encoder.imagebind.model: vision_width: Extra inputs are not permitted",
        ),
        (
            "encoder={kind: imagebind, weights: random, model: imagebind_large}",
            "encoder.imagebind.model: expected imagebind_huge or the sizes of a model, got",
        ),
        (
            "sources=[{kind: demo_clip, start: yesterday}]",
            "sources.0.demo_clip.start: expected a date with its time zone, such as",
        ),
        ("sources=[]", "configuration: sources: expected at least one"),
    ],
)
def test_a_mistake_is_one_line_with_its_path(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, MINIMAL), [override])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_overrides_reach_lists_and_make_mappings(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL)
    config = load(path, ["sources.0.stream=rear", "windows.length_s.imu=4", "fusion.enabled=false"])
    assert config.sources[0].streams[0].name == "rear"
    plan = config.plan()
    assert plan.lengths_ns["imu"] == 4_000_000_000
    assert plan.idle_ns == plan.hop_ns == 500_000_000
    assert not plan.fused


def test_files_and_live_streams_do_not_mix(tmp_path: Path) -> None:
    mixed = {**MINIMAL, "sources": [SOURCE, {"kind": "demo_clip"}]}
    with pytest.raises(ConfigError, match="expected files or live streams, got both"):
        load(written(tmp_path, mixed))


def test_stream_names_are_unique(tmp_path: Path) -> None:
    twice = {**MINIMAL, "sources": [SOURCE, SOURCE]}
    with pytest.raises(ConfigError, match="stream names must be unique, got front twice"):
        load(written(tmp_path, twice))


class Knowing(SyntheticSource):
    """A source that also tells the truth."""

    truth: str | None = "truth"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("front", "stream names must be unique, got front twice"),
        ("rear", "stream names must be unique, got rear twice"),
        ("fused", "fused names the joint embedding, not a stream"),
        ("a/b", "stream name 'a/b': '/' is not allowed"),
    ],
)
def test_the_name_of_a_truth_is_no_others(name: str, message: str) -> None:
    front, rear = ({**SOURCE, "stream": stream} for stream in ("front", "rear"))
    encoder = NoopEncoder()
    sources = Knowing.model_validate(front), SyntheticSource.model_validate(rear)
    assert len(RunConfig(sources=sources, encoder=encoder).sources) == 2
    silent = Knowing.model_validate({**front, "truth": None})
    assert RunConfig(sources=(silent, sources[1]), encoder=encoder).sources[0] == silent
    clashing = Knowing.model_validate({**front, "truth": name})
    with pytest.raises(ValidationError, match=message):
        RunConfig(sources=(clashing, sources[1]), encoder=encoder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "not YAML"),
        (b"- 1\n", "expected a mapping at the top, got list"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"start: 2026-02-30\n", "not YAML"),
        (b"[" * 5000, "not YAML"),
        (b"a: !!python/object:os.system {}\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load(str(path))


def test_an_unknown_name_lists_the_built_in_ones() -> None:
    with pytest.raises(ConfigError, match=r"No such file.*built-in ones: demo, live, media, robot"):
        load("nowhere")
    with pytest.raises(ConfigError, match="built-in ones: everyday_sounds"):
        label_set("nowhere")


def test_a_byte_order_mark_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "notepad.txt"
    path.write_bytes(b"\xef\xbb\xbfcat\r\ndog\r\n")
    assert label_set(str(path)).labels == ("cat", "dog")


def test_heat_through_the_vision_tower_takes_its_temperature(tmp_path: Path) -> None:
    path = written(tmp_path, {**MINIMAL, "encoder": {"kind": "imagebind", "weights": "random"}})
    assert load(path).temperature("thermal") == TEMPERATURES["thermal"]
    through_vision = "encoder.thermal.tower=vision"
    assert load(path, [through_vision]).temperature("thermal") == TEMPERATURES["vision"]
    assert load(path, [through_vision]).temperature("depth") == TEMPERATURES["depth"]
    own = load(path, [through_vision, "labels.temperatures.thermal=0.5"])
    assert own.temperature("thermal") == 0.5


def test_labels_are_fused_only_over_one_set(tmp_path: Path) -> None:
    two = {**MINIMAL, "sources": [SOURCE, {**SOURCE, "stream": "mic", "modality": "audio"}]}
    path = written(tmp_path, two)
    assert load(path).plan().fused_labels
    assert not load(path, ["labels.sets.audio=everyday_sounds"]).plan().fused_labels


def test_a_label_set_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.txt"
    path.write_text("# my kitchen\na kettle\na pan\nthe smell of {}\n")
    mine = label_set(str(path))
    assert mine.labels == ("a kettle", "a pan")
    assert mine.prompts("a pan") == ("the smell of a pan",)


def test_looking_at_sensors_needs_no_encoder(tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text("sources:\n  - {kind: world}\n")
    with pytest.raises(ConfigError, match="encoder: Field required"):
        load(str(path))
    assert isinstance(load_sensors(str(path)).encoder, NoopEncoder)


def test_a_list_of_comments_says_how_to_find_sensors(tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text("sources:\n  # camera: none found\n")
    with pytest.raises(ConfigError, match="`streamer devices` finds what is plugged in"):
        load_sensors(str(path))
