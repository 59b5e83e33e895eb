"""Fetch a large file over a connection that may break, so that it is whole or not there."""

import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from encoders.store.part import Origin, Part, opened
from encoders.store.progress import Progress
from encoders.store.request import Answer, Cut, ask, check_url, read
from streamer.errors import EncoderFailed

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
GOES_ON = "the same command goes on"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before each new try, and for an answer.

    Only tries in a row that get no further than any before count.
    """

    delays_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    timeout_s: float = 30.0


def pull(url: str, target: Path, progress: Progress, patience: Patience | None = None) -> None:
    """Fetch `url` into `target`, which must not be there; `target.part` goes on where it was.

    A file that has changed on the server since is fetched from its start, and so is any from a
    server without ranges or without a word on whether a file changed. The length is checked; what
    the file holds is not. `progress` hears of bytes. Raises EncoderFailed, one line; the part is
    kept.
    """
    check_url(url)
    if target.exists():
        raise EncoderFailed(f"{target}: expected no such file, got one")
    patience = patience or Patience()
    with opened(target) as part:
        if part.origin is not None and part.size and part.origin.url != url:
            raise EncoderFailed(
                f"{part.path}: expected the rest of {part.origin.url}, of which {_kept(part)}; got"
                f" {url}: delete the part to begin anew"
            )
        furthest, failures = part.size, 0
        while True:
            try:
                _once(url, part, progress, patience.timeout_s)
                break
            except Cut as cut:
                if part.size > furthest:
                    furthest, failures = part.size, 0
                if failures == len(patience.delays_s):
                    raise EncoderFailed(f"{cut}: {_kept(part)}: {GOES_ON}") from None
                log.warning("%s: trying again in %g s", cut, patience.delays_s[failures])
                time.sleep(patience.delays_s[failures])
                failures += 1
        try:
            part.finish()
        except OSError as error:
            raise EncoderFailed(f"{target}: {error.strerror}: {GOES_ON}") from None


def _once(url: str, part: Part, progress: Progress, timeout_s: float) -> None:
    """Raises Cut when the connection ended before the file did."""
    origin = part.origin if part.size else None
    if origin is not None and part.size == origin.total:
        return
    known = origin.validator if origin is not None else None
    start = part.size if known is not None else 0
    answer = ask(url, start, known, timeout_s)
    with answer.response:
        if origin is not None and answer.start and not _same(origin, answer):
            # The server answers with the rest of another file, whatever If-Range asked.
            answer.response.close()
            part.begin(origin)
            raise Cut(f"{url}: the file changed on the server")
        _receive(url, part, answer, progress)
    if part.size != answer.total:
        raise Cut(f"{url}: expected {answer.total} bytes, the connection ended at {part.size}")


def _receive(url: str, part: Part, answer: Answer, progress: Progress) -> None:
    total = answer.total
    try:
        if not answer.start:
            part.begin(Origin(url=url, total=total, validator=answer.validator, synced=0))
        _check_space(part, total)
        progress(part.size, total)
        while data := read(answer, _CHUNK):
            if part.size + len(data) > total:
                raise EncoderFailed(f"{url}: expected {total} bytes, got more")
            part.append(data)
            progress(part.size, total)
    except OSError as error:
        raise EncoderFailed(
            f"{part.path}: {error.strerror}: {_kept(part)}: make room, and {GOES_ON}"
        ) from None


def _check_space(part: Part, total: int) -> None:
    free, needed = shutil.disk_usage(part.target.parent).free, total - part.size
    if free < needed:
        raise EncoderFailed(
            f"{part.target.parent}: expected {needed} bytes of free space, got {free}: {GOES_ON}"
            " where there is room"
        )


def _same(origin: Origin, answer: Answer) -> bool:
    return answer.total == origin.total and answer.validator in {None, origin.validator}


def _kept(part: Part) -> str:
    of = "" if part.origin is None else f" of {part.origin.total}"
    return f"{part.size}{of} bytes are kept"
