"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest

from tests.guards import event_loop_guard, heartbeat, nothing_left_behind, unblocked_event_loop

__all__ = ["event_loop_guard", "heartbeat", "nothing_left_behind", "unblocked_event_loop"]


@pytest.fixture(autouse=True, scope="session")
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that the user's own runs left there, and nothing left there for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
