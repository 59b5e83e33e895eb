"""A look at real devices in processes of their own: what is wrong is said in one line each."""

import asyncio

import pytest

from sources.isolated.watch import Patience
from streamer.cli.check.look import look_at
from tests.puppet import Puppet, children_of

FAST = Patience(open_s=30, stall_s=0.5, repeat_s=1)


async def test_a_device_that_works_has_rate_age_and_an_account() -> None:
    (look,) = await look_at(Puppet(patience=FAST), 1)
    assert look.verdict in ("ok", f"wrong rate: {look.rate_hz:.3g} Hz, 50 Hz declared")
    assert look.what == "uint8 48x64x3"
    assert look.samples > 10
    assert look.timing.ages_ms is not None
    assert look.timing.ages_ms[0] >= 0, "it cannot come before it was taken"
    assert look.produced is not None
    assert look.produced >= look.samples
    assert look.report()["jitter_ms"] > 0, "it sleeps between pictures, which is never even"
    assert not children_of("puppet")


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("lose", "puppet: unplugged"),
        ("crash", "its process ended with SIGSEGV"),
        ("hang", "puppet: no sample for 0.5 s since the last"),
        ("repeat", "puppet: repeats one picture for 1 s"),
    ],
)
async def test_what_goes_wrong_while_looking_is_the_verdict(then: str, words: str) -> None:
    source = Puppet.model_validate({"after": 5, "then": then, "patience": FAST})
    (look,) = await look_at(source, 30)
    assert words in look.verdict
    assert look.samples >= 5


async def test_a_device_that_never_delivers_is_said_to() -> None:
    (look,) = await look_at(Puppet(after=0, then="hang", patience=Patience(open_s=0.5)), 30)
    assert look.verdict == "puppet: no sample for 0.5 s since it was started"


async def test_sources_are_looked_at_side_by_side_and_one_spoils_no_other() -> None:
    good, bad = (
        Puppet(stream="good", patience=FAST),
        Puppet(stream="bad", after=3, then="crash", patience=FAST),
    )
    (well,), (ill,) = await asyncio.gather(look_at(good, 1), look_at(bad, 1))
    assert well.fault == ""
    assert "SIGSEGV" in ill.verdict


async def test_a_device_that_takes_its_time_to_open_is_waited_for() -> None:
    """The seconds are counted from the first sample: one picture a second, three are seen."""
    (look,) = await look_at(Puppet(rate_hz=1, patience=FAST), 2)
    assert look.samples in {3, 4}, "a busy machine may look a little longer"
