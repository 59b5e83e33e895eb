"""Fixtures for all tests."""

from tests.guards import event_loop_guard, nothing_left_behind, unblocked_event_loop

__all__ = ["event_loop_guard", "nothing_left_behind", "unblocked_event_loop"]
