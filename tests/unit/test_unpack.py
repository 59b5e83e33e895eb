"""Compressed bytes of untrusted files."""

import bz2

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sources.replay.unpack import STEP, unpacked

PACK = {
    "none": bytes,
    "bz2": bz2.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
KINDS = st.sampled_from(sorted(PACK))


@given(KINDS, st.binary(max_size=3000))
def test_what_was_packed_comes_back_whole(kind: str, data: bytes) -> None:
    assert unpacked(kind, PACK[kind](data), len(data)) == (data, True)


@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 3 * STEP])
@pytest.mark.parametrize("kind", sorted(PACK))
def test_whole_steps_are_whole(kind: str, size: int) -> None:
    assert unpacked(kind, PACK[kind](bytes(size)), size) == (bytes(size), True)


@given(KINDS, st.binary(min_size=1, max_size=3000), st.data())
def test_no_more_than_agreed_is_unpacked(kind: str, data: bytes, draw: st.DataObject) -> None:
    limit = draw.draw(st.integers(0, len(data) - 1))
    try:
        found, whole = unpacked(kind, PACK[kind](data), limit)
    except ValueError:
        assert kind == "zstd"  # it says its size in front
        return
    assert found == data[:limit]
    assert not whole


@given(KINDS, st.binary(min_size=1, max_size=3000), st.data())
def test_what_is_cut_off_gives_a_beginning(kind: str, data: bytes, draw: st.DataObject) -> None:
    packed = PACK[kind](data)
    cut = draw.draw(st.integers(0, len(packed) - 1))
    try:
        found, whole = unpacked(kind, packed[:cut], len(data))
    except ValueError:
        return
    assert data.startswith(found)
    assert not whole or kind == "none" or found == data


@given(KINDS, st.binary(max_size=200), st.integers(0, 5000))
def test_noise_raises_nothing_else(kind: str, noise: bytes, limit: int) -> None:
    for packed in (noise, PACK[kind](noise)[:8] + noise):
        try:
            found, _ = unpacked(kind, packed, limit)
        except ValueError:
            continue
        assert len(found) <= limit


@pytest.mark.parametrize("kind", ["bz2", "lz4", "zstd"])
def test_a_bomb_stops_at_the_limit(kind: str) -> None:
    bomb = PACK[kind](bytes(12 * STEP))
    assert len(bomb) < STEP
    if kind == "zstd":
        with pytest.raises(ValueError, match="more than"):
            unpacked(kind, bomb, 2 * STEP)
    else:
        assert unpacked(kind, bomb, 2 * STEP) == (bytes(2 * STEP), False)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="unknown compression 'rot13'"):
        unpacked("rot13", b"", 1)
