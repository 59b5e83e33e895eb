"""Whether the time is right: stamps of a robot are compared with those of others."""

import ctypes
from datetime import UTC, datetime, timedelta

from streamer.cli.doctor.finding import Finding, milliseconds
from streamer.clock import SystemClock

EARLIEST, LATEST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""A board without a battery wakes up in 1970, or on the day its system was made."""

_UNSYNCHRONISED, _ERROR = 0x40, 5


class _Timex(ctypes.Structure):
    """The beginning of the kernel's `struct timex`; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def wallclock() -> Finding:
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=SystemClock().now_ns() // 1000)
    return judge(now, synchronised())


def judge(now: datetime, kept: tuple[bool, float] | None) -> Finding:
    """`kept`: whether the system's time is synchronised, and by how many seconds it may be off."""
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    remedy = "timedatectl set-ntp true, or install chrony"
    if not EARLIEST <= now <= LATEST:
        return Finding("clock", "fail", f"{said} cannot be", f"set the time; {remedy}")
    if kept is None:
        return Finding("clock", "warn", f"{said}; whether it is synchronised, nobody says", remedy)
    right, error_s = kept
    if not right:
        said = f"{said}, not synchronised: stamps of several robots cannot be compared"
        return Finding("clock", "warn", said, remedy)
    return Finding("clock", "pass", f"{said}, synchronised, off by at most {milliseconds(error_s)}")


def synchronised() -> tuple[bool, float] | None:
    """What the kernel was told by whoever keeps its time; None where it does not say.

    Asks with `adjtimex`, which chrony, ntpd and systemd-timesyncd all report to.
    """
    ask = getattr(ctypes.CDLL(None), "adjtimex", None)  # Linux has it, macOS has not
    if ask is None:
        return None
    timex = _Timex(modes=0)
    state = ask(ctypes.byref(timex))
    if state < 0:
        return None
    right = state != _ERROR and not timex.status & _UNSYNCHRONISED
    return right, timex.maxerror / 1e6
