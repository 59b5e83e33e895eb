"""Why an HTTP address gives no video: FFmpeg says nothing of an answer that is none."""

from base64 import b64encode
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import unquote, urlsplit


def http_refusal(url: str, wait_s: float) -> str:
    """Ask again, as FFmpeg did, and read the status."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme.lower() == "https" else HTTPConnection
    headers: dict[str, str] = {}
    if parts.username is not None:
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(account.encode()).decode()}"
    try:
        connection = connect(parts.hostname or "", parts.port, timeout=wait_s)
        try:
            target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            if answer.status == 200:
                return "what it sends is no video that FFmpeg reads"
            return f"HTTP status {answer.status} {answer.reason[:100]}"
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError) as error:
        return f"no answer: {error}"
