"""What the words of `streamer search` and `--as` mean, and which cannot be meant."""

from pathlib import Path

import pytest

from sources.encodings import Centikelvin, Depth, SunDepth, ThermalPicture
from sources.imu_csv import ImuCsv
from streamer.cli.inputs import reading, settings_for
from streamer.cli.search.command import split
from streamer.cli.search.query import Part, part
from streamer.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with two files and a folder."""
    for name in ("ride.mp4", "kettle"):
        (tmp_path / name).write_text("")
    (tmp_path / "some").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("what", "files", "sentence"),
    [
        (["ride.mp4", "a dog barking"], ["ride.mp4"], "a dog barking"),
        (["ride.mp4", "dog"], ["ride.mp4"], "dog"),
        (["ride.mp4", "Dr. Who sings."], ["ride.mp4"], "Dr. Who sings."),
        (["ride.mp4", "12:30, at night"], ["ride.mp4"], "12:30, at night"),
        # A file is a file, whatever it is called.
        (["ride.mp4", "kettle"], ["ride.mp4", "kettle"], None),
        (["ride.mp4"], ["ride.mp4"], None),
    ],
)
def test_the_last_that_is_no_file_is_the_sentence(
    here: Path, what: list[str], files: list[str], sentence: str | None
) -> None:
    assert split(what) == ([Path(name) for name in files], sentence)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (["ride.mp4", "rid.mp4"], "rid.mp4: no such file"),
        (["ride.mp4", "my ride.MP4"], "my ride.MP4: no such file"),
        (["ride.mp4", "some/where"], "some/where: no such file"),
        (["ride.mp4", "clip.xyz"], "clip.xyz: no such file"),
        (["rid.mp4", "a dog"], r"rid.mp4: no such file \(the sentence comes last"),
        (["a", "dog"], "a: no such file"),
        (["some", "a dog"], "some: expected files, or a folder of logs"),
        (["a dog"], 'expected files to search before the sentence "a dog"'),
    ],
)
def test_a_missing_file_does_not_become_a_sentence(
    here: Path, what: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        split(what)


def test_a_sentence_may_be_longer_than_a_name(here: Path) -> None:
    sentence = "a dog that barks at a ball " * 30
    assert split(["ride.mp4", sentence]) == ([Path("ride.mp4")], sentence)


def test_a_weight_follows_two_colons(here: Path) -> None:
    assert part("vision", "ride.mp4") == Part("vision", "ride.mp4", 1.0)
    assert part("vision", "ride.mp4::-0.5") == Part("vision", "ride.mp4", -0.5)
    assert part("text", "rain::2e-1") == Part("text", "rain", 0.2)
    assert part("text", "std::vector at 12:30") == Part("text", "std::vector at 12:30", 1.0)
    (here / "odd::3").write_text("")
    assert part("audio", "odd::3") == Part("audio", "odd::3", 1.0)
    assert part("audio", "odd::3::2") == Part("audio", "odd::3", 2.0)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("text", "rain::0", "--text rain::0: expected a weight"),
        ("text", "rain::nan", "expected a weight"),
        ("text", "rain::inf", "expected a weight"),
        ("text", "::1", "expected a sentence"),
        ("text", " ", "expected a sentence"),
        ("text", "x" * 1001, "expected a sentence of 1 to 1000"),
        ("vision", "nope.jpg::1", "--image nope.jpg::1: no such file"),
        ("imu", "some", "--imu some: no such file"),
    ],
)
def test_parts_that_cannot_be_meant(here: Path, kind: str, given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        part(kind, given)  # pyright: ignore[reportArgumentType] - one of the names of the options


def test_what_files_are_said_to_hold() -> None:
    assert reading(None) is None
    assert reading("depth") == Depth()
    assert reading("thermal") == ThermalPicture()
    assert reading("sun") == SunDepth()
    assert reading("centikelvin") == Centikelvin()
    assert reading("{kind: depth, metres_per_unit: 0.0002}") == Depth(metres_per_unit=0.0002)
    table = reading("imu")
    assert isinstance(table, ImuCsv)
    assert (table.time, table.accel_unit, table.gyro_unit) == ("t_s", "m/s^2", "rad/s")
    columns = "accel: [1, 2, 3], gyro: [4, 5, 6], accel_unit: g, gyro_unit: deg/s, rate_hz: 100"
    table = reading(f"{{kind: imu_csv, {columns}}}")
    assert isinstance(table, ImuCsv)
    assert (table.accel, table.rate_hz) == ((1, 2, 3), 100)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("smell", "--as smell: expected depth, thermal, imu, or an encoding"),
        ("thermal_counts", "thermal_counts.scale: Field required"),
        ("{kind: depth, metres: 1}", "depth.metres: Extra inputs are not permitted"),
        ("{kind: imu_csv}", "accel: Field required"),
        ("[", "--as .: expected depth"),
        ("", "--as : expected depth"),
    ],
)
def test_what_files_cannot_be_said_to_hold(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        reading(given)
    assert "\n" not in str(error.value)


def test_other_weights_do_not_run_as_the_demo_does() -> None:
    assert settings_for("demo", None, None).encoder.model_dump()["precision"] == "fp32"
    other = settings_for("demo", "other.pth", ["encoder.seed=3"]).encoder.model_dump()
    assert (other["weights"], other["precision"], other["seed"]) == ("other.pth", "auto", 3)
    kept = settings_for("media", "other.pth", None).encoder.model_dump()
    assert (kept["weights"], kept["precision"]) == ("other.pth", "bf16")
