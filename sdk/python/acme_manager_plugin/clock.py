"""The time that a call has. In tests nothing waits: `sleep` only takes from what remains."""

from . import _host


def remaining() -> float:
    """Seconds until the host ends this call."""
    return _host.current.remaining()


def sleep(seconds: float) -> None:
    """Pauses, at most for the time that is left."""
    _host.current.sleep(max(0.0, min(seconds, remaining())))
