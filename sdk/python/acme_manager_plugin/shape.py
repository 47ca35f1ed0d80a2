"""Reads JSON into dataclasses, so that an answer which is not what the vendor documents is an error that names the
place, and no `KeyError` somewhere later.

    @dataclass
    class Record:
        id: str
        value: str
        comment: str | None = None

    read(list[Record], [{"id": "1", "value": "v", "more": 0}]) == [Record("1", "v")]

A type is `str`, `int`, `float`, `bool`, `None`, `Any`, `list[…]`, `dict[str, …]`, a union of types, or a dataclass.
Fields that a dataclass does not have are ignored; those that it has and the JSON lacks must have a default.
"""

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN = frozenset((str, int, float, bool, NoneType))


class Mismatch(ValueError):
    """JSON of another shape."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place.lstrip('.') or 'it'} {problem}")
        self.place = place
        self.problem = problem


def read(shape: type[T], value: object) -> T:
    """The value as that type. `Mismatch` says where it is something else, without repeating it."""
    return cast(T, _read(shape, value))


def _read(shape: Any, value: Any) -> Any:
    # The usual case first: answers of an API can hold thousands of values. `type`, because a bool is an int.
    if type(value) is shape and shape in _PLAIN or shape is Any:
        return value
    if is_dataclass(shape) and isinstance(value, dict):
        return _read_dataclass(shape, value)
    origin, arguments = get_origin(shape), get_args(shape)
    if origin in (Union, UnionType):
        return _read_union(arguments, value)
    if origin is list and isinstance(value, list):
        return [_read_part(f"[{index}]", arguments[0], item) for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: _read_part(f".{name}", arguments[1], item) for name, item in value.items()}
    if shape is float and type(value) is int:
        return float(value)
    raise Mismatch("", f"is not {_name(shape)}")


def _read_part(place: str, shape: Any, value: Any) -> Any:
    try:
        return _read(shape, value)
    except Mismatch as mismatch:
        raise Mismatch(place + mismatch.place, mismatch.problem) from None


def _read_union(shapes: tuple[Any, ...], value: Any) -> Any:
    first: Mismatch | None = None
    for shape in shapes:
        try:
            return _read(shape, value)
        except Mismatch as mismatch:
            first = first or mismatch
    assert first is not None, "a union has members"
    raise first


def _read_dataclass(shape: Any, value: dict[str, Any]) -> Any:
    known = {}
    for name, place, wanted, is_required in _fields(shape):
        if name in value:
            known[name] = _read_part(place, wanted, value[name])
        elif is_required:
            raise Mismatch(place, "is missing")
    return shape(**known)


@cache
def _fields(shape: Any) -> list[tuple[str, str, Any, bool]]:
    """Names, places, types, and whether they must be there. Finding out costs more than reading a record."""
    hints = get_type_hints(shape)
    return [
        (field.name, f".{field.name}", hints[field.name], field.default is MISSING and field.default_factory is MISSING)
        for field in fields(shape)
    ]


def _name(shape: Any) -> str:
    if is_dataclass(shape) or get_origin(shape) is dict:
        return "an object"
    return {list: "a list", NoneType: "null"}.get(get_origin(shape) or shape, getattr(shape, "__name__", str(shape)))
