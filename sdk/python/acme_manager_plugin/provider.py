"""The class that authors write, and the bridge from it to the component's exports."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from .contract import Description, TxtRecord


class DnsProvider(ABC):
    """A DNS-01 provider. Every call runs in a fresh instance of the component, with an object of its own: what must
    live from `present` to `cleanup` goes into the handle.

    Raise `PluginError` for what the vendor or the configuration is to blame for. Any other exception is a crash of the
    plugin; its traceback goes to the host's log.
    """

    def __init__(self) -> None:
        """Reads the environment with `env`; an error of kind `config` where it is incomplete. Called before each of
        the methods below but `describe`."""

    @staticmethod
    @abstractmethod
    def describe() -> Description:
        """Says what the provider is. Works with an empty environment and without the network."""

    def check(self) -> None:
        """Looks whether the credentials work, with requests that only read. The default is content with
        `__init__`."""

    @abstractmethod
    def present(self, record: TxtRecord) -> str:
        """Creates the TXT value and leaves all others at the name alone; a value that is already there is a success.
        Returns the handle, what `cleanup` needs to find it again: at most 4096 bytes, no secrets, may be empty."""

    @abstractmethod
    def cleanup(self, record: TxtRecord, handle: str) -> None:
        """Removes exactly this value; one that is not there is a success. The handle is what `present` returned, or
        empty when the host lost it: then find the value by name."""

    def ready(self, record: TxtRecord, handle: str) -> bool:
        """Whether the change is live on all of the vendor's name servers. Called only if the description says
        `reports_ready`."""
        return True


def export(provider: type[DnsProvider]) -> Callable[[], Any]:
    """Makes the provider the component's own. componentize-py looks for the result in the module `app`, under the
    name of the contract's interface: write `Provider = export(Example)` at the end of `app.py`.

    A class that cannot be one is refused here, which is when the component is built."""
    _check(provider)
    if sys.platform == "wasi":
        from ._bridge import Bridge

        return partial(Bridge, provider)
    return provider


def _check(provider: Any) -> None:
    if not (isinstance(provider, type) and issubclass(provider, DnsProvider)):
        raise TypeError(f"export takes a class that is derived from DnsProvider, not {provider!r}")
    missing = sorted(provider.__abstractmethods__)
    if missing:
        raise TypeError(f"{provider.__name__} is no provider yet: it lacks {', '.join(missing)}")
    described = provider.describe()
    if not isinstance(described, Description):
        raise TypeError(f"{provider.__name__}.describe must return a Description, not {described!r}")
