"""A configuration as others may see it: without passwords. Pure.

Passwords belong into the environment (`password_env`), but addresses of cameras and pipelines of
GStreamer can hold them, and a recording is handed on.
"""

import re
from typing import Any

MASK = "***"

# user:password@ in front of a host, to the last @ there is: a password may hold anything.
_ACCOUNT = re.compile(r"(://)[^\s\"']*@")
# ?token=... of an address, and location=... user-pw=... of a pipeline.
_NAMED = re.compile(
    r"([\w-]*(?:passw(?:or)?d|passwd|passphrase|pw|pwd|token|secret|key|auth|sig|signature)\s*=\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s&;\"']+)",
    re.IGNORECASE,
)


def redacted(tree: Any) -> Any:
    """The same tree of mappings, lists and texts, with `***` in the place of what is secret."""
    if isinstance(tree, dict):
        return {name: redacted(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [redacted(value) for value in tree]
    if isinstance(tree, str):
        return _NAMED.sub(rf"\1{MASK}", _ACCOUNT.sub(rf"\1{MASK}@", tree))
    return tree
