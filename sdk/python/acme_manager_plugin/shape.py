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
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Mismatch(ValueError):
    """JSON of another shape."""


def read(shape: type[T], value: object, place: str = "") -> T:
    """The value as that type. `Mismatch` says where it is something else, without repeating it."""
    return cast(T, _read(shape, value, place))


def _read(shape: Any, value: Any, place: str) -> Any:
    origin, arguments = get_origin(shape), get_args(shape)
    if shape is Any:
        return value
    if origin in (Union, UnionType):
        return _read_union(arguments, value, place)
    if origin is list and isinstance(value, list):
        return [_read(arguments[0], item, f"{place}[{index}]") for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: _read(arguments[1], item, f"{place}.{name}") for name, item in value.items()}
    if is_dataclass(shape) and isinstance(value, dict):
        return _read_dataclass(shape, value, place)
    if shape is float and type(value) is int:
        return float(value)
    # `type`, because a bool is an int.
    if shape in (str, int, float, bool, NoneType) and type(value) is shape:
        return value
    raise Mismatch(f"{place.lstrip('.') or 'it'} is not {_name(shape)}")


def _read_union(shapes: tuple[Any, ...], value: Any, place: str) -> Any:
    first: Mismatch | None = None
    for shape in shapes:
        try:
            return _read(shape, value, place)
        except Mismatch as mismatch:
            first = first or mismatch
    raise first or Mismatch(place)


def _read_dataclass(shape: Any, value: dict[str, Any], place: str) -> Any:
    hints = get_type_hints(shape)
    known = {}
    for field in fields(shape):
        inside = f"{place}.{field.name}"
        if field.name in value:
            known[field.name] = _read(hints[field.name], value[field.name], inside)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise Mismatch(f"{inside.lstrip('.')} is missing")
    return shape(**known)


def _name(shape: Any) -> str:
    if is_dataclass(shape) or get_origin(shape) is dict:
        return "an object"
    return {list: "a list", NoneType: "null"}.get(get_origin(shape) or shape, getattr(shape, "__name__", str(shape)))
