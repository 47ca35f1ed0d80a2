import unittest
from dataclasses import dataclass, field
from typing import Any

from acme_manager_plugin.shape import Mismatch, read


@dataclass
class Record:
    id: int | str
    value: str
    comment: str | None = None
    tags: list[str] = field(default_factory=list)


class Shapes(unittest.TestCase):
    def test_what_fits(self) -> None:
        self.assertEqual(read(list[Record], [{"id": 1, "value": "v", "more": 0}]), [Record(1, "v")])
        full = {"id": "a", "value": "v", "comment": None, "tags": ["x"]}
        self.assertEqual(read(Record, full), Record("a", "v", None, ["x"]))
        self.assertEqual(read(dict[str, float], {"a": 1, "b": 0.5}), {"a": 1.0, "b": 0.5})
        self.assertEqual(read(Any, {"a": [None]}), {"a": [None]})

    def test_what_does_not_fit_names_the_place(self) -> None:
        for shape, value, message in (
            (list[Record], [{"id": 1, "value": "v"}, {"id": 1}], "[1].value is missing"),
            (list[Record], [{"id": 1, "value": 2}], "[0].value is not str"),
            (dict[str, list[int]], {"a": [1, True]}, "a[1] is not int"),
            (Record, {"id": 1.5, "value": "v"}, "id is not int"),
            (Record, [], "it is not an object"),
            (Record, None, "it is not an object"),
            (list[str], {}, "it is not a list"),
            (type(None), 1, "it is not null"),
        ):
            with self.subTest(message), self.assertRaises(Mismatch) as caught:
                read(shape, value)
            self.assertEqual(str(caught.exception), message)
