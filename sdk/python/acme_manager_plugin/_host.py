"""The seam between this package and what runs it: the host of a component, or a test."""

import sys
from typing import Protocol

from ._message import Incoming, Outgoing


class Host(Protocol):
    """What a provider needs from outside."""

    def variable(self, name: str) -> str | None:
        """An environment variable."""

    def exchange(self, request: Outgoing) -> Incoming:
        """Sends a request and waits for the answer. Raises `PluginError` when there is none."""

    def log(self, level: str, message: str) -> None:
        """Writes a line; the level is `debug`, `info`, `warn` or `error`."""

    def remaining(self) -> float:
        """Seconds until the call is ended."""

    def sleep(self, seconds: float) -> None:
        """Pauses."""


class Nowhere:
    """Plain CPython without a test's `MockApi`: enough to import a provider and to ask it for its description."""

    def variable(self, name: str) -> str | None:
        return None

    def exchange(self, request: Outgoing) -> Incoming:
        raise RuntimeError("there is no host here: use acme_manager_plugin.testing.MockApi")

    def log(self, level: str, message: str) -> None:
        pass

    def remaining(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        pass


current: Host
if sys.platform == "wasi":
    from ._wasi import Component

    current = Component()
else:
    current = Nowhere()
