"""The records of the contract (`wit/dns-provider.wit`), with the defaults that most providers want."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from . import env
from .errors import U32_MAX, PluginError

_HOST = re.compile(r"(https?://)?((\*\.)?[\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
_SECONDS = ("default_ttl", "propagation_timeout", "propagation_interval")


@dataclass(frozen=True)
class TxtRecord:
    """One TXT value to create or remove."""

    zone: str
    """The zone that holds the record, without a final dot; empty when the host could not look it up."""
    name: str
    """The full name, lower case, without a final dot."""
    value: str
    """The text, unquoted."""
    ttl: int = 0
    """Seconds; 0 means the provider's default."""


@dataclass(frozen=True)
class Key:
    """An environment variable that the provider reads."""

    name: str
    """ASCII letters, digits and `_`."""
    help: str
    """One line: what it is and where the vendor shows it."""
    required: bool = False
    """The provider cannot work without it."""
    secret: bool = False
    """The value must never be seen."""
    endpoint: bool = False
    """The value is the base URL of the provider's API."""
    default: str | None = None
    """The value used when the variable is not set, for people to read."""
    aliases: tuple[str, ...] = ()
    """Other names that mean the same; the host hands the value over under `name`."""

    def __post_init__(self) -> None:
        _make_tuple(self, "aliases", str)


@dataclass(frozen=True)
class Description:
    """What a provider says of itself."""

    name: str
    """The name under which issuers refer to it: lower-case ASCII letters, digits and `-`."""
    version: str
    """The provider's own version, semantic versioning."""
    homepage: str = ""
    """Where the documentation is."""
    hosts: tuple[str, ...] = ()
    """The hosts that it talks to: `name`, `name:port` or `*.suffix`, meaning HTTPS."""
    environment: tuple[Key, ...] = ()
    """Every variable that it reads."""
    default_ttl: int = field(default=120, kw_only=True)
    """The time to live of records unless the host asks for another, in seconds."""
    propagation_timeout: int = field(default=120, kw_only=True)
    """How long a change may take to show everywhere, in seconds."""
    propagation_interval: int = field(default=2, kw_only=True)
    """How often to look, in seconds."""
    multiple_values: bool = field(default=True, kw_only=True)
    """Whether two TXT values can live at one name. If not, the host orders one certificate name after the other."""
    reports_ready: bool = field(default=False, kw_only=True)
    """Whether `DnsProvider.ready` is implemented."""

    def __post_init__(self) -> None:
        _make_tuple(self, "hosts", str)
        _make_tuple(self, "environment", Key)
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"hosts: {host!r} is no host: write 'api.example.com', 'name:port' or '*.suffix'")
        for name in _SECONDS:
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= U32_MAX:
                raise ValueError(f"{name} must be whole seconds, not {value!r}")

    def with_times(self, prefix: str, ttl: int, propagation_timeout: int, polling_interval: int) -> "Description":
        """The same with the variables `<prefix>TTL`, `<prefix>PROPAGATION_TIMEOUT` and `<prefix>POLLING_INTERVAL`,
        whole seconds, followed where they are set. `env.ttl` reads the first of them for records."""
        times = (
            ("TTL", ttl, "Time to live of the TXT records, in seconds"),
            ("PROPAGATION_TIMEOUT", propagation_timeout, "How long a change may take to show, in seconds"),
            ("POLLING_INTERVAL", polling_interval, "How often to look, in seconds"),
        )
        keys = tuple(Key(prefix + name, text, default=str(default)) for name, default, text in times)
        ttl, propagation_timeout, polling_interval = (_seconds(prefix + name, default) for name, default, _ in times)
        return replace(
            self,
            environment=self.environment + keys,
            default_ttl=ttl,
            propagation_timeout=propagation_timeout,
            propagation_interval=polling_interval,
        )


def _seconds(name: str, default: int) -> int:
    try:
        return env.parsed_or(name, env.whole_seconds, default)
    except PluginError:
        # `check` reports a value that is no number; a description has no room for errors.
        return default


def _make_tuple(of: Any, name: str, kind: type) -> None:
    """Takes lists for tuples. What looks like a tuple and is none, `("a")`, would be taken apart otherwise."""
    value = getattr(of, name)
    if isinstance(value, kind):
        shown = repr(value) if kind is str else f"{kind.__name__}(…)"
        single = kind.__name__
        raise TypeError(f"{name} must be a tuple, not a single {single}: write {name}=({shown},), with the comma")
    if not isinstance(value, tuple | list):
        raise TypeError(f"{name} must be a tuple, not {value!r}")
    for item in value:
        if not isinstance(item, kind):
            raise TypeError(f"{name} must hold {kind.__name__} only, not {item!r}")
    object.__setattr__(of, name, tuple(value))
