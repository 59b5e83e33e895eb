"""The file of calibration: what it fills in, what contradicts it, whom it is refused to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from configs.load import label_set, load
from configs.schema import RunConfig
from encoders.calibration import Calibration
from encoders.choosing import right_handed
from encoders.conventions import LARGEST_FILE, Calibrated, Conventions, read_calibrated
from encoders.imagebind.preprocess.imu import ImuInput
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.zeroshot import TEMPERATURES
from streamer.cli.session import make_labeler, preflight
from streamer.errors import ConfigError
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed
from tests.tiny import TINY

TWO = "a dog\na cat\n"


def saved(folder: Path, **said: Any) -> str:
    path = folder / "cal.yaml"
    told = {"model": "imagebind_custom", "model_hash": "0" * 64, **said}
    path.write_text(yaml.safe_dump(told))
    return str(path)


def config(folder: Path, calibration: str, **more: Any) -> RunConfig:
    """As `streamer run` reads it, of a model with random weights."""
    encoder = {"kind": "imagebind", "weights": "random", "model": TINY, "device": "cpu"}
    tree = {
        "sources": [{"kind": "demo_clip"}],
        "encoder": {**encoder, "calibration": calibration, **more.pop("encoder", {})},
        **more,
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(tree))
    return load(str(path))


def test_what_it_says_is_filled_in_and_the_rest_stays(tmp_path: Path) -> None:
    conventions = {
        "depth": {"preset": "metric"},
        "imu": {"order": "gyroscope accelerometer", "rotation": "deg/s"},
        "length_s": {"imu": 10},
    }
    settings = config(
        tmp_path, saved(tmp_path, conventions=conventions), encoder={"imu": {"axes": "-y x z"}}
    )
    encoder = settings.encoder
    assert isinstance(encoder, ImageBindEncoder)
    assert encoder.depth.preset == "metric"
    assert encoder.imu == ImuInput(axes="-y x z", order="gyroscope accelerometer", rotation="deg/s")
    assert (settings.windows.length_s.imu, settings.windows.length_s.vision) == (10, 2)
    assert settings.plan().lengths_ns["imu"] == 10_000_000_000
    # Once more changes nothing.
    assert encoder.settled() == encoder


@pytest.mark.parametrize(
    ("conventions", "explicit", "message"),
    [
        (
            {"depth": {"preset": "metric"}},
            {"encoder": {"depth": {"preset": "sun"}}},
            r"^encoder.depth.preset: sun contradicts .*cal.yaml, which says metric; leave one of",
        ),
        (
            {"imu": {"gravity": "remove"}},
            {"encoder": {"imu": {"gravity": "keep"}}},
            "^encoder.imu.gravity: keep contradicts .* says remove",
        ),
        (
            {"length_s": {"imu": 10}},
            {"windows": {"length_s": {"imu": 5}}},
            r"^windows.length_s.imu: 5.0 contradicts .* says 10.0",
        ),
    ],
)
def test_a_setting_by_hand_that_says_otherwise_is_an_error_that_names_both(
    tmp_path: Path, conventions: Any, explicit: Any, message: str
) -> None:
    file = saved(tmp_path, conventions=conventions)
    with pytest.raises(ConfigError, match=message) as error:
        config(tmp_path, file, **explicit)
    assert "\n" not in str(error.value)


def test_a_setting_by_hand_that_says_the_same_is_none(tmp_path: Path) -> None:
    file = saved(tmp_path, conventions={"depth": {"preset": "sun"}, "length_s": {"imu": 5}})
    explicit = {"encoder": {"depth": {"preset": "sun"}}, "windows": {"length_s": {"imu": 5}}}
    assert config(tmp_path, file, **explicit).windows.length_s.imu == 5


def test_another_model_is_refused_with_one_line(tmp_path: Path) -> None:
    settings = config(tmp_path, saved(tmp_path, conventions={"depth": {"preset": "plain"}}))
    message = (
        r"^encoder.calibration: .*cal.yaml: expected one made for this model \(imagebind_custom"
        r" [0-9a-f]{12}\), it was made for imagebind_custom 000000000000$"
    )
    with pytest.raises(ConfigError, match=message):
        with settings.encoder.open(["vision"], text=False):
            pass


def test_its_own_model_takes_it_and_other_weights_do_not(tmp_path: Path) -> None:
    plain = ImageBindEncoder(weights="random", model=TINY, device="cpu", precision="fp32")
    with plain.open(["depth"], text=False) as opened:
        digest = opened.hash
    file = saved(tmp_path, model_hash=digest, conventions={"depth": {"preset": "metric"}})
    named = plain.model_copy(update={"calibration": file})
    explicit = ImageBindEncoder.model_validate(
        {**plain.model_dump(exclude_unset=True), "depth": {"preset": "metric"}}
    )
    windows = [depth_window()]
    with named.open(["depth"], text=False) as opened, explicit.open(["depth"], text=False) as same:
        assert opened.calibration is None
        np.testing.assert_array_equal(opened.encode(windows), same.encode(windows))
        reading = opened.reading(depth=plain.depth)
        assert not np.allclose(reading.encode(windows), same.encode(windows), atol=1e-3)
    with pytest.raises(ConfigError, match="expected one made for this model"):
        with named.model_copy(update={"seed": 1}).open(["depth"], text=False):
            pass


def depth_window() -> Any:
    from streamer.types import Quality, Sample, Span, Window

    metres = np.linspace(0.5, 9, 40 * 50, dtype=np.float32).reshape(40, 50)
    sample = Sample("depth", "depth", 0, 1, metres)
    return Window("depth", "depth", Span(0, 2_000_000_000), (sample,), Quality(1.0))


def test_its_probabilities_are_used_and_are_called_calibrated(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text(TWO)
    two = label_set(str(tmp_path / "two.txt"))
    weights = save_packed(
        tmp_path / "w.safetensors", packed_state(SPEAKING, SPOKEN), model=SPEAKING
    )
    plain = {"kind": "imagebind", "weights": str(weights), "device": "cpu", "precision": "fp32"}
    with ImageBindEncoder.model_validate(plain).open(["vision"], text=True) as opened:
        digest = opened.hash
    labels = {"set": two.hash, "temperatures": {"vision": 0.5}}
    file = saved(tmp_path, model_hash=digest, labels=labels)
    tree: dict[str, Any] = {
        "sources": [{"kind": "demo_clip"}],
        "encoder": {**plain, "calibration": file},
        "labels": {"set": str(tmp_path / "two.txt")},
    }
    settings = RunConfig.model_validate(tree)
    with settings.encoder.open(["vision"], text=True) as opened:
        labeler, _ = make_labeler(settings, opened, frozenset({"vision", "audio"}))
    assert labeler is not None
    vector = np.eye(1, 16, dtype=np.float32)[0]
    vision = labeler("vision", vector)
    assert vision.calibrated
    expected = np.exp(vision.cosines / 0.5) / np.exp(vision.cosines / 0.5).sum()
    np.testing.assert_allclose(vision.probabilities, expected, rtol=1e-5)
    assert not labeler("audio", vector).calibrated, "no temperature was fitted for it"
    assert TEMPERATURES["vision"] != 0.5


def test_another_label_set_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text(TWO)
    labels = {"set": "0123456789abcdef", "temperatures": {"vision": 0.5}}
    file, names = saved(tmp_path, labels=labels), {"labels": {"set": str(tmp_path / "two.txt")}}
    message = r"^encoder.calibration: .*: expected one fitted for the labels in use \(.*two.txt"
    with pytest.raises(ConfigError, match=message + ".*it was fitted for 0123456789abcdef$"):
        preflight(config(tmp_path, file, **names))
    # Without labels, or with nothing fitted, there is nothing to refuse.
    preflight(config(tmp_path, file, labels=False))
    preflight(config(tmp_path, saved(tmp_path), **names))


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    said = Calibrated(
        model="imagebind_huge",
        model_hash="ab" * 32,
        conventions=Conventions.model_validate(
            {"depth": {"preset": "metric"}, "imu": {"axes": "-y x z"}, "length_s": {"imu": 10.0}}
        ),
        labels=Calibration.model_validate({"set": "0" * 16, "temperatures": {"audio": 0.07}}),
    )
    path = tmp_path / "cal.yaml"
    path.write_text(said.yaml())
    found = read_calibrated(str(path))
    assert found == said
    assert found.conventions.imu.model_fields_set == {"axes"}
    assert "temperature" in path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("[1, 2]", "valid dictionary"),
        ("{version: 2, model: a, model_hash: '" + "0" * 64 + "'}", "version: .*1"),
        ("{model: a, model_hash: x}", "model_hash: .*pattern"),
        ("{model: a, model_hash: '" + "0" * 64 + "', conventions: {depth: {preset: moon}}}", "sun"),
        ("{model: a, model_hash: '" + "0" * 64 + "', more: 1}", "more: Extra"),
        ("[" * 100_000, "at most 65536 bytes"),
        ("[" * 20_000, "not YAML"),
        ("a: 2026-02-30", "not YAML"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cal.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_calibrated(str(path))
    assert "\n" not in str(error.value)
    assert LARGEST_FILE == 65536


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: expected a file of calibration"):
        read_calibrated(str(tmp_path / "no.yaml"))


def test_weights_keep_their_own_probabilities_only_for_inputs_read_as_they_were(
    tmp_path: Path,
) -> None:
    said = {"set": "0" * 16, "temperatures": {"vision": 0.1, "depth": 0.1, "imu": 0.1}}
    weights = save_packed(
        tmp_path / "w.safetensors",
        packed_state(SPEAKING, SPOKEN),
        model=SPEAKING,
        calibration=said,
    )
    plain = {"weights": str(weights), "device": "cpu", "depth": {"preset": "plain"}}
    with ImageBindEncoder.model_validate(plain).open(["depth"], text=False) as opened:
        assert opened.calibration is not None
        assert set(opened.calibration.temperatures) == {"vision", "imu"}


def test_axes_to_try_turn_the_sensor_and_do_not_mirror_it() -> None:
    turns = right_handed()
    assert turns[0] == "x y z"
    assert len(set(turns)) == 24
    for axes in turns:
        rows = [np.eye(3)["xyz".index(a[-1])] * (-1 if a[0] == "-" else 1) for a in axes.split()]
        x, y, z = rows
        np.testing.assert_array_equal(np.cross(x, y), z)
        assert ImuInput(axes=axes).axes == axes
