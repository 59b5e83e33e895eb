"""What is promised of live sensors, in seconds, with what a machine may be late that tests as well.

The promises themselves, 1, 2 and 5 s, are held by the soak test on figures of many faults. Here a
machine that is held up once must not decide.
"""

_SLACK_S = 3.0

GONE_S = 1.0 + _SLACK_S
"""From an unplugged or killed device to a state that says so."""
HANG_S = 2.0 + _SLACK_S
"""From the last sample of one that hangs."""
BACK_S = 5.0 + _SLACK_S
"""From its return to the next sample."""
