"""The host's log. Lines are cut at 8 KiB, and secret environment values in them are replaced."""

from . import _host


def debug(message: str) -> None:
    """A line for those who look for a fault."""
    _host.current.log("debug", message)


def info(message: str) -> None:
    """A line about normal work."""
    _host.current.log("info", message)


def warn(message: str) -> None:
    """A line about something odd that did not stop the work."""
    _host.current.log("warn", message)


def error(message: str) -> None:
    """A line about a failure."""
    _host.current.log("error", message)
