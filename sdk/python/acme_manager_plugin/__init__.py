"""Write a DNS-01 provider for acme-manager in Python.

A provider is one class and one line:

    from acme_manager_plugin import Description, DnsProvider, TxtRecord, env, export, http

    class Example(DnsProvider):
        def __init__(self) -> None: ...  # read the environment
        @staticmethod
        def describe() -> Description: ...
        def present(self, record: TxtRecord) -> str: ...
        def cleanup(self, record: TxtRecord, handle: str) -> None: ...

    Provider = export(Example)

Inside the component the modules of this package talk to the host; under plain CPython they talk to what
`acme_manager_plugin.testing` puts in its place.
"""

from . import clock, dns, env, http, log
from .contract import Description, Key, TxtRecord
from .errors import ErrorKind, PluginError
from .provider import DnsProvider, export

__all__ = [
    "Description",
    "DnsProvider",
    "ErrorKind",
    "Key",
    "PluginError",
    "TxtRecord",
    "clock",
    "dns",
    "env",
    "export",
    "http",
    "log",
]
