"""Tests of a provider under plain CPython: a scripted API, an environment and a log.

    with MockApi({"EXAMPLE_TOKEN": "t"}) as api:
        api.expect("DELETE", "https://api.example.com/v1/records/7", headers={"authorization": "Bearer t"}).answer(204)
        Example().cleanup(TxtRecord("example.com", "_acme-challenge.example.com", "v"), "7")

Better than single expectations is the whole conversation in one file: `cases` plays the `conformance.json` that
`acme-manager-server plugin test` plays to the finished component.
"""

import json as json_text
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import _host, _required
from ._message import Incoming, Outgoing
from .contract import Description, TxtRecord
from .errors import ErrorKind, PluginError
from .provider import DnsProvider
from .shape import read

CALL_TIME = 30.0
"""The time that a call has, until a test sets another; seconds."""

_MAX_HANDLE = 4096
_SHORTEST_SECRET = 6
"""Shorter values of the environment are looked for in no error: chance would find them."""


@dataclass
class Answer:
    """An answer of the vendor, or the failure to get one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    body: str | None = None

    def incoming(self) -> Incoming:
        """The answer as the transport has it."""
        text = json_text.dumps(self.json) if self.json is not None else self.body or ""
        return Incoming(self.status, [(name.lower(), value) for name, value in self.headers.items()], text.encode())


@dataclass
class Request:
    """What a request must look like. In the URL, header values and `body`, `*` stands for any run of characters; parts
    that are left out are not looked at."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    body: str | None = None

    def difference(self, sent: Outgoing) -> str | None:
        """How a request differs from this, or nothing."""
        if self.method != sent.method or not _matches(self.url, sent.url):
            return f"expected {self.method} {self.url}, got {sent.method} {sent.url}"
        for name, pattern in self.headers.items():
            value = sent.headers.get(name.lower())
            if value is None or not _matches(pattern, value):
                return f"expected the header {name}: {pattern}, got {value!r}"
        text = sent.body.decode(errors="replace")
        if self.json is not None and _json_or_none(text) != self.json:
            return f"expected the body {json_text.dumps(self.json)}, got {text}"
        if self.body is not None and not _matches(self.body, text):
            return f"expected the body {self.body}, got {text}"
        return None


@dataclass
class Exchange:
    """A request that is to come, and its answer."""

    request: Request
    response: Answer
    failure: PluginError | None = None

    def answer(
        self, status: int, json: Any = None, *, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """What comes back."""
        self.response = Answer(status, dict(headers or {}), json, body)

    def fail(self, failure: PluginError) -> None:
        """Fails as a broken connection does."""
        self.failure = failure


class MockApi:
    """The vendor's API as a script: requests must come in the order in which they were expected, and all of them must
    have come at the end of the `with` block."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """An API that expects nothing."""
        self.environment = dict(environment or {})
        """What `env` finds."""
        self.time_left = CALL_TIME
        """What `clock.remaining` returns; seconds."""
        self.lines: list[tuple[str, str]] = []
        """What was logged: level and line."""
        self.always: Answer | None = None
        """What every request is answered with, in the place of what is expected."""
        self._expected: list[Exchange] = []
        self._difference: str | None = None
        self._before: _host.Host | None = None

    def expect(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: str | None = None,
    ) -> Exchange:
        """Expects a request, with its whole URL. It is answered with an empty 200 until told otherwise."""
        exchange = Exchange(Request(method, url, dict(headers or {}), json, body), Answer())
        self.add(exchange)
        return exchange

    def add(self, exchange: Exchange) -> None:
        """Expects a request."""
        self._expected.append(exchange)

    def __enter__(self) -> Self:
        self._before, _host.current = _host.current, self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._before is not None
        _host.current = self._before
        # What the API saw explains more than what the provider made of it.
        if self._difference is not None:
            raise AssertionError(self._difference)
        if error is None and self._expected:
            following = self._expected[0].request
            left = len(self._expected)
            raise AssertionError(f"{left} requests did not come; the next was {following.method} {following.url}")

    def variable(self, name: str) -> str | None:
        """See `_host.Host`, as for all that follows."""
        return self.environment.get(name)

    def exchange(self, request: Outgoing) -> Incoming:
        if self.always is not None:
            return self.always.incoming()
        if not self._expected:
            self._differ(f"a request too many: {request.method} {request.url}")
        exchange = self._expected.pop(0)
        if difference := exchange.request.difference(request):
            self._differ(difference)
        if exchange.failure is not None:
            raise exchange.failure
        incoming = exchange.response.incoming()
        if len(incoming.body) > request.max_body:
            raise PluginError(ErrorKind.OTHER, f"the answer is larger than {request.max_body} bytes")
        return incoming

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def remaining(self) -> float:
        return self.time_left

    def sleep(self, seconds: float) -> None:
        self.time_left -= seconds

    def _differ(self, difference: str) -> None:
        self._difference = difference
        raise AssertionError(difference)


@dataclass
class ExpectedError:
    """An error that a call must end with."""

    kind: str
    contains: str | None = None
    retry_after: int | None = None


@dataclass
class Refusal:
    """An API that answers the same to every request, and what `present` must make of it."""

    name: str
    response: Answer
    error: ExpectedError


@dataclass
class Step:
    """One call of the host and all that happens in it."""

    call: str
    record: TxtRecord | None = None
    with_handle: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    handle: str | None = None
    ready: bool | None = None
    error: ExpectedError | None = None


@dataclass
class Scenario:
    """One conversation."""

    name: str
    steps: list[Step]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """A whole `conformance.json`."""

    environment: dict[str, str]
    scenarios: list[Scenario]
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One thing that a script demands."""

    name: str
    run: Callable[[], None]
    """Raises `AssertionError` where the provider does something else."""


def cases(provider: type[DnsProvider], script: Path) -> Iterator[Case]:
    """What a `conformance.json` demands of a provider: that the script is complete, every scenario, the refusals, and
    an error where there is no environment.

        def test_conformance(self) -> None:
            for case in testing.cases(Example, Path("conformance.json")):
                with self.subTest(case.name):
                    case.run()
    """
    trial = _Trial(provider, read(Script, json_text.loads(script.read_text())))
    yield Case("script", trial.completeness)
    for scenario in trial.script.scenarios:
        yield Case(scenario.name, partial(trial.scenario, scenario))
    for refusal in _refusals(trial.script):
        yield Case(f"always {refusal.name}", partial(trial.refusal, refusal))
    if any(key.required for key in trial.description.environment):
        yield Case("no environment", trial.bare)


class _Trial:
    def __init__(self, provider: type[DnsProvider], script: Script) -> None:
        self.provider = provider
        self.script = script
        self.description: Description = provider.describe()
        secret = {key.name for key in self.description.environment if key.secret}
        self._secrets = [
            value for name, value in script.environment.items() if name in secret and len(value) >= _SHORTEST_SECRET
        ]

    def completeness(self) -> None:
        names = [scenario.name for scenario in self.script.scenarios]
        assert len(set(names)) == len(names), "two scenarios have the same name"
        problem = _required.wrong_status(self.script)
        assert problem is None, problem
        missing = _required.missing(self.script.scenarios, self.description.multiple_values)
        assert not missing, f"the script lacks {'; '.join(missing)}"
        known = {key.name for key in self.description.environment}
        unknown = sorted(self.script.environment.keys() - known)
        assert not unknown, f"`describe` does not name the variables {unknown}"

    def scenario(self, scenario: Scenario) -> None:
        handles: dict[str, str] = {}
        for number, step in enumerate(scenario.steps, 1):
            try:
                self._step(step, scenario.environment, handles)
            except AssertionError as error:
                raise AssertionError(f"step {number} ({step.call}): {error}") from None

    def refusal(self, refusal: Refusal) -> None:
        steps = (step for scenario in self.script.scenarios for step in scenario.steps)
        record = next((step.record for step in steps if step.call == "present" and step.record), None)
        if record is None:
            return
        with MockApi(self._environment({})) as api:
            api.always = refusal.response
            self._expect(refusal.error, lambda: self.provider().present(record))

    def bare(self) -> None:
        with MockApi():
            self._expect(ExpectedError("config"), lambda: self.provider().check())

    def _environment(self, own: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in (self.script.environment | dict(own)).items() if value}

    def _step(self, step: Step, environment: Mapping[str, str], handles: dict[str, str]) -> None:
        with MockApi(self._environment(environment)) as api:
            for exchange in step.exchanges:
                api.add(exchange)
            self._expect(step.error, lambda: self._call(step, handles))

    def _call(self, step: Step, handles: dict[str, str]) -> None:
        provider = self.provider()
        if step.call == "check":
            provider.check()
            return
        assert step.record is not None, "the call needs a record"
        value = step.record.value
        known = handles.get(value, "") if step.with_handle is None else step.with_handle
        match step.call:
            case "present":
                handle = handles[value] = provider.present(step.record)
                assert len(handle.encode()) <= _MAX_HANDLE, f"the handle is longer than {_MAX_HANDLE} bytes"
                assert step.handle in (None, handle), f"expected the handle {step.handle!r}, got {handle!r}"
            case "cleanup":
                provider.cleanup(step.record, known)
            case "ready":
                ready = provider.ready(step.record, known)
                assert step.ready in (None, ready), f"`ready` returned {ready}"
            case other:
                raise AssertionError(f"there is no call {other!r}")

    def _expect(self, expected: ExpectedError | None, call: Callable[[], object]) -> None:
        try:
            call()
        except PluginError as error:
            said = f"{error.kind.value}: {error.message}"
            assert error.message, "an error without a message"
            assert not any(secret in error.message for secret in self._secrets), f"a secret is in the error {said}"
            assert expected is not None, f"failed with {said}"
            assert error.kind.value == expected.kind, f"expected an error of kind {expected.kind}, got {said}"
            assert (expected.contains or "") in error.message, f"expected {expected.contains!r} in the error {said}"
            wanted = expected.retry_after
            assert wanted in (None, error.retry_after), f"expected retry-after {wanted}, got {error.retry_after}"
        else:
            assert expected is None, f"expected an error of kind {expected and expected.kind}, but it succeeded"


def _refusals(script: Script) -> list[Refusal]:
    """What every provider must understand, replaced and followed by the script's own."""
    own = {refusal.name for refusal in script.refusals}
    defaults = [
        Refusal("401", Answer(401, json={}), ExpectedError("unauthorized")),
        Refusal("429", Answer(429, {"retry-after": "7"}, {}), ExpectedError("rate-limited", retry_after=7)),
        Refusal("500", Answer(500, json={}), ExpectedError("unavailable")),
    ]
    return [refusal for refusal in defaults if refusal.name not in own] + script.refusals


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _json_or_none(text: str) -> Any:
    try:
        return json_text.loads(text)
    except ValueError:
        return None
