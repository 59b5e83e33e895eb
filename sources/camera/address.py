"""Where a network camera is, and what of that may be shown. Pure.

Addresses of cameras carry passwords, before the host or in the query, and libraries print them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

SCHEMES = ("rtsp", "rtsps", "http", "https")

# To the last @ there is: a password that should have been quoted may hold anything.
_ACCOUNT = re.compile(r"(?<=://)\S*@")
_QUERY = re.compile(r"(://[^\s?]*)\?\S*")


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is for the library alone. `shown` has neither account nor query."""

    url: str = field(repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        return masked(self.url)

    def without_secrets(self, text: str) -> str:
        """A text of a library, which may quote the address or parts of it."""
        text = text.replace(self.url, self.shown)
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return masked(text)


def address(url: str, user: str | None = None, password: str | None = None) -> Address:
    """With `user` and `password` instead of an account that `url` has. Raises ValueError, which
    does not quote `url`."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in SCHEMES or not parts.hostname:
        raise ValueError(f"expected an address {', '.join(f'{name}://' for name in SCHEMES)}")
    if user is not None:
        host = parts.netloc.rpartition("@")[2]
        account = quote(user, safe="") + (
            "" if password is None else f":{quote(password, safe='')}"
        )
        parts = parts._replace(netloc=f"{account}@{host}")
    said = parts.password or ""
    # Both as it is written in the address and as it was meant; a short one would mask half a text.
    secrets = {text for text in (said, unquote(said), parts.query) if len(text) > 2}
    return Address(parts.geturl(), tuple(sorted(secrets, key=len, reverse=True)))


def masked(text: str) -> str:
    """Without the account and the query of each address in it."""
    return _QUERY.sub(r"\1?***", _ACCOUNT.sub("***@", text))
