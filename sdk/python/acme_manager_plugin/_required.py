"""What a conformance script must show, whatever the provider. The crate `sdk/script` demands the same of it."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .contract import TxtRecord

if TYPE_CHECKING:
    from .testing import Exchange, Scenario, Script, Step

TWO_VALUES = "two values"


def missing(scenarios: "list[Scenario]", two_values: bool) -> list[str]:
    """What the scenarios lack, each with the name of the one that it belongs into."""
    steps = {scenario.name: scenario.steps for scenario in scenarios}
    lacks = []
    for name, (needs, is_shown_by) in _REQUIRED.items():
        if name == TWO_VALUES and not two_values:
            continue
        if name not in steps:
            lacks.append(f"{name} (it is not there; it needs {needs})")
        elif not is_shown_by(steps[name]):
            lacks.append(f"{name} (it needs {needs})")
    return lacks


def wrong_status(script: "Script") -> str | None:
    """Where a status is none that a server can answer with."""
    answers = [
        (f"scenario {scenario.name!r}, step {number}", exchange.response)
        for scenario in script.scenarios
        for number, step in enumerate(scenario.steps, 1)
        for exchange in step.exchanges
    ]
    answers += [(f"refusal {refusal.name!r}", refusal.response) for refusal in script.refusals]
    for place, answer in answers:
        if not 200 <= answer.status <= 599:
            return f"{place}: a status is a number from 200 to 599, not {answer.status}"
    return None


def _happy_path(steps: "list[Step]") -> bool:
    new, old = list(_successes(steps, "present")), list(_successes(steps, "cleanup"))
    return any(at < later and _is_same(one, other) for at, one in new for later, other in old)


def _two_values(steps: "list[Step]") -> bool:
    records = [record for _, record in _successes(steps, "present")]
    return any(one.name == other.name and one.value != other.value for one in records for other in records)


def _repeat(steps: "list[Step]") -> bool:
    presented = list(_successes(steps, "present"))
    return any(
        any(before < at and _is_same(other, record) for before, other in presented)
        or any(_shows(exchange, record.value) for exchange in steps[at].exchanges)
        for at, record in presented
    )


def _cleanup_by_value(steps: "list[Step]") -> bool:
    presented = list(_successes(steps, "present"))
    for at, record in _successes(steps, "cleanup"):
        # Where the value was presented before and no handle is given, that of `present` is taken.
        known = any(before < at and other.value == record.value for before, other in presented)
        handle = steps[at].with_handle
        if handle == "" or (handle is None and not known):
            return True
    return False


def _successes(steps: "list[Step]", call: str) -> Iterator[tuple[int, TxtRecord]]:
    """The calls of a method that must succeed, with their places."""
    for place, step in enumerate(steps):
        if step.call == call and step.error is None and step.record is not None:
            yield place, step.record


def _is_same(one: TxtRecord, other: TxtRecord) -> bool:
    return (one.name, one.value) == (other.name, other.value)


def _shows(exchange: "Exchange", value: str) -> bool:
    """Whether the vendor has the value, and does not just repeat what it was sent."""
    request, response = exchange.request, exchange.response
    sent = f"{request.url} {json.dumps(request.json)} {request.body}"
    answered = f"{json.dumps(response.json)} {response.body}"
    return value in answered and value not in sent


_REQUIRED: "dict[str, tuple[str, Callable[[list[Step]], bool]]]" = {
    "happy path": ("a present and after it a cleanup of the same record, both successful", _happy_path),
    TWO_VALUES: ("two successful calls of present with different values at one name", _two_values),
    "repeat": (
        "a successful present of a value that is there already: presented earlier in this scenario, or shown by the "
        "answer to a request that does not hold it",
        _repeat,
    ),
    "cleanup by value": ("a successful cleanup with an empty with_handle", _cleanup_by_value),
}
