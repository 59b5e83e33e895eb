"""The ring of a flight recorder: its bounds, and that chunks give back what went in."""

from collections.abc import Sequence

import lz4.frame
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sources.recording.encode import record
from sources.recording.note import Note
from sources.recording.packed import Packed, Packer, unpack
from sources.recording.pictures import Encoded
from sources.recording.ring import Ring
from streamer.events import Arrived, Event
from streamer.logfile import ChannelSpec
from streamer.types import AudioBlock, ImuBlock, Modality
from tests.happenings import STREAMS, ended, happenings

MODALITIES: dict[str, Modality] = {info.name: info.modality for info in STREAMS}
CHUNKS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=60
)


def chunks(sizes: Sequence[tuple[int, int, int]]) -> list[Packed]:
    """Of so many bytes each, so long, with so many samples."""
    made: list[Packed] = []
    now_ns = 1000
    for number, (size, lasts_ns, samples) in enumerate(sizes):
        made.append(
            Packed(number, now_ns, now_ns + lasts_ns, {"cam": samples}, (), (), bytes(size))
        )
        now_ns += lasts_ns
    return made


@given(CHUNKS, st.integers(0, 100), st.integers(0, 200))
def test_it_is_bounded_in_time_and_bytes_and_counts_what_did_not_fit(
    sizes: list[tuple[int, int, int]], before_ns: int, most_bytes: int
) -> None:
    ring = Ring(before_ns, most_bytes)
    gone: list[Packed] = []
    made = chunks(sizes)
    for number, chunk in enumerate(made, 1):
        gone += ring.push(chunk)
        held = list(ring)
        assert ring.nbytes == sum(len(c.data) for c in held) <= most_bytes
        # Nothing is lost, twice, or out of its order.
        assert [c.number for c in (*gone, *held)] == list(range(number))
        since_ns = chunk.to_ns - before_ns
        assert all(c.to_ns >= since_ns for c in held)
        wanted = sum(c.samples["cam"] for c in made[:number] if c.to_ns >= since_ns)
        here = sum(c.samples["cam"] for c in held)
        assert ring.missing(since_ns).get("cam", 0) + here == wanted


@given(CHUNKS, st.integers(0, 100))
def test_what_fits_is_there_as_far_back_as_was_asked_for(
    sizes: list[tuple[int, int, int]], before_ns: int
) -> None:
    ring = Ring(before_ns, 1 << 30)
    for chunk in chunks(sizes):
        ring.push(chunk)
        since_ns = max(1000, chunk.to_ns - before_ns)
        assert next(iter(ring)).from_ns <= since_ns
    assert ring.missing(0) == {}


def test_a_chunk_gives_back_what_a_log_would() -> None:
    packer = Packer()
    events = [*happenings(0, 1), ended(1)]
    for event in events:
        packer.take(event)
    packer.lose("cam", "queue", 3)
    note = Note(ChannelSpec("/streamer/meta", "json"), 5, b"{}", state=True)
    packer.note(note)
    held = packer.nbytes
    packed = packer.close()
    assert packed is not None
    assert packed.samples == {"mic": 20, "imu": 20, "cam": 10, "depth": 10}
    assert [told.payload for told in packed.states] == [b"{}"]
    assert len(packed.data) < held
    assert packed.nbytes >= len(packed.data)
    assert lz4.frame.decompress(packed.data)

    found = unpack(packed, MODALITIES)
    assert [(told.channel, told.log_ns, told.payload) for told in found.notes] == [
        (note.channel, 5, b"{}")
    ]
    assert found.lost == {"cam": {"queue": 3}}
    for ours, theirs in zip(events, found.events, strict=True):
        same(ours, theirs)
    assert packer.close() is None
    assert packer.nbytes == 0


def same(ours: Event, theirs: Event) -> None:
    if not isinstance(ours, Arrived):
        assert ours == theirs
        return
    assert isinstance(theirs, Arrived)
    kept, sample = record(ours.sample).sample, theirs.sample
    assert theirs.now_ns == ours.now_ns
    assert theirs.live
    assert (sample.stream, sample.modality, sample.t_ns, sample.duration_ns, sample.clock) == (
        kept.stream,
        kept.modality,
        kept.t_ns,
        kept.duration_ns,
        kept.clock,
    )
    if isinstance(kept.data, AudioBlock):
        assert isinstance(sample.data, AudioBlock)
        np.testing.assert_array_equal(sample.data.samples, kept.data.samples)
    elif isinstance(kept.data, ImuBlock):
        assert isinstance(sample.data, ImuBlock)
        np.testing.assert_array_equal(sample.data.t_ns, kept.data.t_ns)
        np.testing.assert_array_equal(sample.data.values, kept.data.values)
    else:
        assert isinstance(sample.data, Encoded)
        assert isinstance(kept.data, Encoded)
        assert sample.data.digest() == kept.data.digest()
        assert sample.data.shape == kept.data.shape
