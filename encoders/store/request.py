"""One HTTP request for a file, or for the rest of it."""

import re
import ssl
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse, InvalidURL
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from streamer.errors import EncoderFailed
from streamer.version import __version__

_RANGE = re.compile(r"bytes (\d{1,20})-(\d{1,20})/(\d{1,20})")
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class Cut(Exception):
    """The server or the way to it failed, in a manner that often passes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes: bytes `start` to `total` of the file. `response` gives them, and is to be closed.

    `validator`: what `If-Range` takes, a strong ETag or else the date of the last change. None
    where the server tells neither, so that nobody can know whether it is still the same file.
    """

    response: HTTPResponse
    start: int
    total: int
    validator: str | None


def check_url(url: str) -> str:
    """Raises EncoderFailed unless it is an absolute http or https address."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        fine = False
    if not fine:
        raise EncoderFailed(f"--url: expected http:// or https:// and a host, got {url!r}")
    return url


def ask(url: str, start: int, validator: str | None, timeout_s: float) -> Answer:
    """Ask for the file from byte `start` on, if it is still the one of `validator`.

    The answer starts at `start` or, from a server that has no ranges or another file now, at 0.
    Raises Cut where another try may help, else EncoderFailed.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": f"imagebind-streamer/{__version__}"}
    if start and validator is not None:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    try:
        request = Request(check_url(url), headers=headers)  # noqa: S310 - http(s) alone
        response = build_opener(_Redirects).open(request, timeout=timeout_s)
    except HTTPError as error:
        error.close()
        said = f"{url}: expected the file, got {error.code} {error.reason}"
        if error.code == 416 and start:  # there is no such rest: it is another file now
            return ask(url, 0, None, timeout_s)
        raise (Cut(said) if error.code in _TRANSIENT else EncoderFailed(said)) from None
    except InvalidURL as error:
        raise EncoderFailed(f"--url: {error}") from None
    except URLError as error:
        lasting = isinstance(error.reason, ssl.SSLCertVerificationError)
        said = f"{url}: {error.reason}"
        raise (EncoderFailed(said) if lasting else Cut(said)) from None
    except (OSError, HTTPException) as error:
        raise Cut(f"{url}: {str(error) or type(error).__name__}") from None
    try:
        return _answer(url, response, start)
    except BaseException:
        response.close()
        raise


def read(answer: Answer, most: int) -> bytes:
    """What has come, up to `most` bytes; none at the end. Raises Cut."""
    try:
        # One that waits until there are `most` would lose what it has when the connection ends.
        return answer.response.read1(most)
    except (OSError, HTTPException) as error:
        raise Cut(f"the connection was cut: {str(error) or type(error).__name__}") from None


def _answer(url: str, response: HTTPResponse, asked: int) -> Answer:
    """What the headers say. Raises EncoderFailed when they do not add up."""
    headers = response.headers
    if encoding := headers.get("Content-Encoding"):
        raise EncoderFailed(f"{url}: expected the file as it is, got it as {encoding!r}")
    if coding := headers.get("Transfer-Encoding"):
        # The length would not count, and nobody could say when to stop.
        raise EncoderFailed(f"{url}: expected the file as it is, got it in {coding!r} coding")
    kind = headers.get_content_maintype() if headers.get("Content-Type") else ""
    if kind == "text":
        # The page of a hotel's network, or of a mirror that has moved.
        raise EncoderFailed(f"{url}: expected weights, got {headers.get_content_type()}")
    length = headers.get("Content-Length", "")
    if not re.fullmatch(r"\d{1,20}", length):
        raise EncoderFailed(f"{url}: expected a Content-Length, got {length!r}")
    if response.status == 200:
        return Answer(response, 0, int(length), _validator(headers))
    said = _RANGE.fullmatch(headers.get("Content-Range", ""))
    if response.status != 206 or said is None:
        raise EncoderFailed(f"{url}: expected the file, got status {response.status}")
    first, last, total = map(int, said.groups())
    if first != asked or last != total - 1 or int(length) != total - first:
        raise EncoderFailed(
            f"{url}: expected bytes {asked} to the end, got {length} bytes as {said[0]!r}"
        )
    return Answer(response, first, total, _validator(headers))


def _validator(headers: Message) -> str | None:
    etag = headers.get("ETag", "")
    # A weak one is the same for files that merely mean the same.
    return etag if etag.startswith('"') else headers.get("Last-Modified")


class _Redirects(HTTPRedirectHandler):
    """Follows to http and https, and from https only to https: nothing else vouches for a file."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in {"https", req.type}:
            fp.close()
            raise EncoderFailed(f"{req.full_url}: expected no way out of https, got {newurl[:200]}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
