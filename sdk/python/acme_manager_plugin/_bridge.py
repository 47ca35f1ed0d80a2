"""The component's exports, made of a `DnsProvider`."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, TypeVar

from componentize_py_types import Err
from wit_world.imports import acme_manager_dns_types as wit

from ._wasi import utf8
from .contract import Description, TxtRecord
from .errors import PluginError
from .provider import DnsProvider

T = TypeVar("T")


class Bridge:
    """What componentize-py calls: the functions of the contract's interface `provider`. There is one such object, made
    when the component is built; the provider itself is made anew for each call."""

    def __init__(self, provider: type[DnsProvider]) -> None:
        self._provider = provider

    def describe(self) -> wit.Description:
        return _guarded(lambda: _description(self._provider.describe()))

    def check(self) -> None:
        _guarded(lambda: self._provider().check())

    def present(self, record: wit.TxtRecord) -> str:
        return _guarded(lambda: utf8(self._provider().present(_record(record))))

    def cleanup(self, record: wit.TxtRecord, handle: str) -> None:
        _guarded(lambda: self._provider().cleanup(_record(record), handle))

    def ready(self, record: wit.TxtRecord, handle: str) -> bool:
        return _guarded(lambda: bool(self._provider().ready(_record(record), handle)))


def _guarded(call: Callable[[], T]) -> T:
    try:
        return call()
    except PluginError as error:
        refusal = wit.Error(wit.ErrorKind[error.kind.name], utf8(error.message), error.retry_after)
    except BaseException as error:
        _crash(error)
    # The run time takes this very class for a result, and everything else for a crash.
    raise Err(refusal)


def _crash(error: BaseException) -> NoReturn:
    """Ends the component as a crash does. The host logs the traceback, and repeats its last line in its own error."""
    frames = traceback.extract_tb(error.__traceback__)
    print(*traceback.format_list(frames), sep="", file=sys.stderr)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}: " if frames else ""
    print(f"{place}{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os.abort()


def _record(record: wit.TxtRecord) -> TxtRecord:
    return TxtRecord(record.zone, record.name, record.value, record.ttl)


def _description(said: Description) -> wit.Description:
    return wit.Description(
        name=said.name,
        version=said.version,
        homepage=said.homepage,
        environment=[
            wit.EnvironmentKey(
                name=key.name,
                aliases=list(key.aliases),
                required=key.required,
                secret=key.secret,
                endpoint=key.endpoint,
                default=key.default,
                help=key.help,
            )
            for key in said.environment
        ],
        hosts=list(said.hosts),
        default_ttl=said.default_ttl,
        propagation_timeout=said.propagation_timeout,
        propagation_interval=said.propagation_interval,
        multiple_values=said.multiple_values,
        reports_ready=said.reports_ready,
    )
