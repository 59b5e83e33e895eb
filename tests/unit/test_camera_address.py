"""Addresses of cameras: what goes to the library, and what may be shown."""

import string
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.camera.address import address, masked

# Long enough not to be a part of the rest by chance.
secrets = st.text(string.printable.strip(), min_size=6, max_size=20)


@given(secrets, secrets)
def test_neither_account_nor_query_is_ever_shown(user: str, password: str) -> None:
    where = address("rtsp://10.0.0.5:8554/stream1?token=q-u-e-r-y", user, password)
    assert where.shown == "rtsp://***@10.0.0.5:8554/stream1?***"
    parts = urlsplit(where.url)
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.hostname, parts.port) == ("10.0.0.5", 8554)
    for said in (
        f"cannot open {where.url}",
        f"[tcp @ 0x1] http://{quote(user, safe='')}:{quote(password, safe='')}@10.0.0.5/ failed",
    ):
        told = where.without_secrets(said)
        assert quote(password, safe="") not in told
        assert "q-u-e-r-y" not in told
    assert password not in where.without_secrets(f"wrong password {password} for user")
    assert quote(password, safe="") not in repr(where)


@given(secrets)
def test_an_account_in_the_address_is_masked_though_it_is_not_quoted(password: str) -> None:
    assert password not in masked(f"Connection to rtsp://me:{password}@10.0.0.5/x failed")


def test_user_and_password_take_the_place_of_an_account() -> None:
    where = address("http://old:account@cam/video", "new", "p/w")
    assert where.url == "http://new:p%2Fw@cam/video"
    assert address("http://cam/video", "new").url == "http://new@cam/video"
    assert address("http://cam/video").shown == "http://cam/video"


@pytest.mark.parametrize(
    "url",
    ["", "file:///etc/passwd", "rtsp:///x", "cam.local", "udp://1.2.3.4", "http://[me:s3cret@x"],
)
def test_what_is_no_address_of_a_camera_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        address(url)
    assert not url or url not in str(refused.value)
    assert "s3cret" not in str(refused.value)
