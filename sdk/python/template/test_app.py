"""`python3 -m unittest` plays `conformance.json` to the provider, natively and in no time."""

import unittest
from pathlib import Path

from acme_manager_plugin import TxtRecord, testing
from app import {{Type}}Plugin


class Conformance(unittest.TestCase):
    def test_conformance(self) -> None:
        for case in testing.cases({{Type}}Plugin, Path(__file__).with_name("conformance.json")):
            with self.subTest(case.name):
                case.run()


class Cleanup(unittest.TestCase):
    def test_a_zone_that_is_gone_has_no_records(self) -> None:
        with testing.MockApi({"{{NAME}}_API_TOKEN": "an-invented-token"}) as api:
            api.expect("GET", "https://api.example.com/v1/zones/example.com").answer(404, {"error": "no such zone"})
            {{Type}}Plugin().cleanup(TxtRecord("example.com", "_acme-challenge.example.com", "value-1"), "")


if __name__ == "__main__":
    unittest.main()
