"""Programs that a driver starts: they must not outlive its process, however that ends."""

from collections.abc import Sequence


def bound(command: Sequence[str]) -> list[str]:
    """The command of a program that is killed when the thread that starts it ends.

    A process of a device that ends in order takes its group along, but one that is killed with the
    program cannot, and what it had started would keep the device.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]
