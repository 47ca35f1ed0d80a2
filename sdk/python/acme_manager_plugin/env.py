"""The provider's environment: what the operator configured, under the names of the description.

Blanks around a value are dropped, and an empty value counts as not set.
"""

from collections.abc import Callable
from typing import TypeVar, overload

from . import _host
from .errors import U32_MAX, ErrorKind, PluginError

T = TypeVar("T")


def required(name: str) -> str:
    """The value of a variable that must be set; else an error of kind `config`."""
    value = optional(name)
    if value is None:
        raise PluginError(ErrorKind.CONFIG, f"{name} is not set")
    return value


@overload
def optional(name: str) -> str | None: ...
@overload
def optional(name: str, default: str) -> str: ...
def optional(name: str, default: str | None = None) -> str | None:
    """The value of a variable, or what to use without it."""
    return (_host.current.variable(name) or "").strip() or default


def parsed_or(name: str, parse: Callable[[str], T], default: T) -> T:
    """The parsed value of a variable, or what to use without it. A `ValueError` of `parse` becomes an error of kind
    `config` that says what the function is called: `EXAMPLE_TTL is not valid: it takes whole seconds`. What the
    `ValueError` says is left out, for it may hold a secret."""
    value = optional(name)
    if value is None:
        return default
    try:
        return parse(value)
    except ValueError:
        wanted = getattr(parse, "__name__", "another value").replace("_", " ")
        raise PluginError(ErrorKind.CONFIG, f"{name} is not valid: it takes {wanted}") from None


def whole_seconds(text: str) -> int:
    """Seconds, as the contract has them."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= U32_MAX):
        raise ValueError
    return int(text)


def true_or_false(text: str) -> bool:
    """A switch."""
    match text.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise ValueError


def ttl(prefix: str, default: int) -> int:
    """The time to live of records: `<prefix>TTL`, or the default. See `Description.with_times`."""
    return parsed_or(prefix + "TTL", whole_seconds, default)
