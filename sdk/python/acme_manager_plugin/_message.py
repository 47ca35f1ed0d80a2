"""What travels over HTTP."""

from dataclasses import dataclass


@dataclass
class Outgoing:
    """A request, finished but for what a signer adds (`http.Client`)."""

    method: str
    url: str
    """The whole URL, percent-encoded."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    max_body: int
    """The most that may be read of the answer's body, in bytes."""


@dataclass
class Incoming:
    """An answer, read to its end."""

    status: int
    headers: list[tuple[str, str]]
    """Names in lower case."""
    body: bytes
