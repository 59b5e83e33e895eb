"""Temperatures in real FLIR radiometric JPEGs, as an encoding of `pictures`."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sources.flir import MAX_FILE_BYTES, NotRadiometric, celsius
from sources.pictures import Pictures
from streamer.errors import SourceLost
from streamer.types import pixels
from tests.needs import shared
from tests.reading import read

FOLDER = "recordings/thermal/flir_rjpeg"


def source(path: Path) -> Pictures:
    return Pictures.model_validate(
        {"path": path, "stream": "heat", "encoding": {"kind": "flir_jpeg"}, "hold_s": 0.1}
    )


def file(start: str) -> Path:
    (path,) = shared(FOLDER).glob(f"{start}_*")
    return path


# What the files show: the label of each says what to look for, the camera's class how large it is.
@pytest.mark.parametrize(
    ("start", "shape", "median_c", "range_c"),
    [
        ("01", (120, 120), 34.8, (31, 88)),  # a resistor under load
        ("03", (120, 120), 8.9, (7, 24)),  # ducks on cold water
        ("05", (180, 180), -7.7, (-69, 0)),  # a tower before a clear winter sky
        ("11", (240, 320), 3.9, (-11, 15)),  # a car
        ("13", (480, 640), 22.1, (17, 36)),
        ("15", (120, 120), 34.2, (30, 90)),
        ("17", (240, 320), -29.5, (-36, -8)),  # the sky about the sun
        ("19", (120, 120), 24.7, (22, 30)),
        ("21", (240, 320), 40.1, (29, 47)),  # an animal on a very hot day
        ("23", (120, 160), 6.3, (4, 23)),  # a street
    ],
)
def test_real_files_give_their_temperatures(
    start: str, shape: tuple[int, int], median_c: float, range_c: tuple[float, float]
) -> None:
    sample = read(source(file(start)))[0]
    picture = pixels(sample)

    assert sample.modality == "thermal"
    assert picture.dtype == np.float32
    assert picture.shape == shape
    assert float(np.median(picture)) == pytest.approx(median_c, abs=0.06)
    assert range_c[0] < picture.min() < picture.max() < range_c[1]


def test_every_file_but_the_known_one_gives_what_the_library_gives() -> None:
    import flyr

    failed: list[str] = []
    paths = sorted(shared(FOLDER).glob("*.jpg"))
    for path in paths:
        try:
            got = celsius(path.read_bytes())
        except NotRadiometric:
            failed.append(path.name[:2])
            continue
        expected = flyr.unpack(str(path)).celsius
        np.testing.assert_array_equal(got, expected.astype(np.float32))
    assert len(paths) == 11
    assert failed == ["07"]


def test_a_file_that_does_not_decode_is_one_clear_line() -> None:
    path = file("07")
    why = "a FLIR radiometric JPEG was expected, a sensor of 16385x61440 pixels is none"
    with pytest.raises(SourceLost, match=f"{path.name}: {why}"):
        read(source(path))


def test_a_folder_names_the_file(tmp_path: Path) -> None:
    for number, start in enumerate(("03", "07")):
        (tmp_path / f"{number}.jpg").write_bytes(file(start).read_bytes())
    samples = read(source(tmp_path))
    assert pixels(samples[0]).shape == (120, 120)
    with pytest.raises(SourceLost, match=r"1\.jpg: a FLIR radiometric JPEG was expected"):
        pixels(samples[1])


def test_an_ordinary_photo_is_told(tmp_path: Path) -> None:
    photo = shared("recordings/thermal/llvip/010001_vi.jpg")
    for path in (photo, tmp_path / "empty.jpg", tmp_path / "words.jpg"):
        if path is not photo:
            path.write_bytes(b"\xff\xd8 words" if path.name == "words.jpg" else b"")
        with pytest.raises(SourceLost, match=f"{path.name}: a FLIR radiometric JPEG was expected"):
            read(source(path))


def test_a_file_that_is_too_large_is_not_looked_at() -> None:
    with pytest.raises(NotRadiometric, match="at most 32 MiB"):
        celsius(bytes(MAX_FILE_BYTES + 1))


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flyr.flyr", None)
    with pytest.raises(SourceLost, match=r"needs flyr: .*imagebind-streamer\[thermal-files\]"):
        read(source(file("03")))


def flir(raw: bytes, width: int, height: int, records: int = 1) -> bytes:
    """A file of one record: the raw numbers, as FLIR lays them out."""
    directory = (1).to_bytes(2, "big") + bytes(10) + (64).to_bytes(4, "big")
    directory += (32 + len(raw)).to_bytes(4, "big") + bytes(12)
    sizes = bytes(2) + width.to_bytes(2, "little") + height.to_bytes(2, "little")
    body = bytearray(directory.ljust(64, b"\0") + sizes.ljust(32, b"\0") + raw)
    body[28:32] = records.to_bytes(4, "big")
    head = b"\xff\xe1" + (len(body) + 10).to_bytes(2, "big") + b"FLIR\0\x01\x00\x00"
    return b"\xff\xd8" + head + bytes(body) + b"\xff\xd9"


def test_a_bomb_in_a_record_is_not_unpacked() -> None:
    png = io.BytesIO()
    Image.new("1", (12000, 12000)).save(png, "png")
    assert len(png.getvalue()) < 40_000
    with pytest.raises(NotRadiometric, match="a sensor of 12000x12000 pixels is none"):
        celsius(flir(png.getvalue(), 640, 480))
    with pytest.raises(NotRadiometric, match="a sensor of 65535x65535 pixels is none"):
        celsius(flir(b"", 65535, 65535))


def test_billions_of_records_are_not_looked_for() -> None:
    with pytest.raises(NotRadiometric, match="4294967295 records in"):
        celsius(flir(bytes(8), 2, 2, records=(1 << 32) - 1))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_byte_may_be_wrong(data: st.DataObject) -> None:
    body = bytearray(file("03").read_bytes())
    at = data.draw(st.one_of(st.integers(0, 2000), st.integers(0, len(body) - 1)))
    body[at] = data.draw(st.integers(0, 255))
    try:
        picture = celsius(bytes(body))
    except NotRadiometric as error:
        said = str(error)
    else:
        said = ""
        assert np.isfinite(picture).all()
    assert "\n" not in said
