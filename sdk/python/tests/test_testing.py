import contextlib
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from acme_manager_plugin import Description, DnsProvider, ErrorKind, Key, PluginError, TxtRecord, env, export, http
from acme_manager_plugin.testing import MockApi, cases

URL = "https://api.example.com"
RECORD = {"zone": "example.com", "name": "_acme-challenge.example.com", "value": "v"}


class Example(DnsProvider):
    def __init__(self) -> None:
        self.api = http.Client(URL, auth=http.bearer(env.required("TOKEN")))

    @staticmethod
    def describe() -> Description:
        return Description("example", "1.0.0", environment=(Key("TOKEN", "a token", required=True, secret=True),))

    def present(self, record: TxtRecord) -> str:
        return self.api.post("records", json={"value": record.value}).json(dict[str, str])["id"]

    def cleanup(self, record: TxtRecord, handle: str) -> None:
        self.api.delete(f"records/{handle or 'by-value'}")


class Leaking(Example):
    def present(self, record: TxtRecord) -> str:
        raise PluginError(ErrorKind.UNAUTHORIZED, f"{env.required('TOKEN')} was refused")


def present(**changes: Any) -> dict[str, Any]:
    request = {
        "method": "POST",
        "url": URL + "/records",
        "headers": {"authorization": "Bearer *"},
        "json": {"value": "v"},
    }
    exchange = {"request": request, "response": {"status": 201, "json": {"id": "7"}}}
    return {"call": "present", "record": RECORD, "exchanges": [exchange], "handle": "7", **changes}


def cleanup(id: str, **changes: Any) -> dict[str, Any]:
    exchange = {"request": {"method": "DELETE", "url": f"{URL}/records/{id}"}, "response": {"status": 204}}
    return {"call": "cleanup", "record": RECORD, "exchanges": [exchange], **changes}


def other_value() -> dict[str, Any]:
    request = {"method": "POST", "url": URL + "/records", "json": {"value": "w"}}
    exchange = {"request": request, "response": {"status": 201, "json": {"id": "9"}}}
    return {"call": "present", "record": {**RECORD, "value": "w"}, "exchanges": [exchange]}


def script() -> dict[str, Any]:
    steps = {
        "happy path": [{"call": "check"}, present(), cleanup("7")],
        "two values": [present(), other_value(), cleanup("9", with_handle="9")],
        "repeat": [present(), present()],
        "cleanup by value": [cleanup("by-value", with_handle="")],
    }
    scenarios = [{"name": name, "steps": value} for name, value in steps.items()]
    return {"environment": {"TOKEN": "an-invented-token"}, "scenarios": scenarios}


def failures(provider: type[DnsProvider], script: dict[str, Any]) -> dict[str, str]:
    """The cases that fail, and how."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "conformance.json"
        file.write_text(json.dumps(script))
        for case in cases(provider, file):
            try:
                case.run()
            except AssertionError as error:
                found[case.name] = str(error)
    return found


class Scripts(unittest.TestCase):
    def test_a_provider_that_does_as_told_passes(self) -> None:
        self.assertEqual(failures(Example, script()), {})

    def test_differences_are_told(self) -> None:
        for changed, message in (
            (present(handle="8"), "step 1 (present): expected the handle '8', got '7'"),
            (present(error={"kind": "conflict"}), "expected an error of kind conflict, but it succeeded"),
            (present(exchanges=[]), f"a request too many: POST {URL}/records"),
            (present(exchanges=[present()["exchanges"][0]] * 2), "1 requests did not come; the next was POST"),
            (cleanup("8", with_handle="7"), f"expected DELETE {URL}/records/8, got DELETE {URL}/records/7"),
            (present(record={**RECORD, "value": "w"}), 'expected the body {"value": "v"}, got {"value": "w"}'),
            ({"call": "check", "error": {"kind": "config"}}, "expected an error of kind config, but it succeeded"),
            ({"call": "describe", "record": RECORD}, "there is no call 'describe'"),
            ({"call": "ready", "record": RECORD, "ready": False}, "`ready` returned True"),
        ):
            with self.subTest(message):
                changing = script()
                changing["scenarios"].append({"name": "more", "steps": [changed]})
                found = failures(Example, changing)
                self.assertEqual(list(found), ["more"])
                self.assertIn(message, found["more"])

    def test_a_script_must_be_complete(self) -> None:
        lacking = script()
        lacking["scenarios"] = [scenario for scenario in lacking["scenarios"] if scenario["name"] != "repeat"]
        lacking["environment"]["MORE"] = "x"
        self.assertIn("lacks repeat (it is not there; it needs ", failures(Example, lacking)["script"])
        unknown = script()
        unknown["environment"]["MORE"] = "x"
        self.assertIn("does not name the variables ['MORE']", failures(Example, unknown)["script"])

    def test_a_required_scenario_shows_what_its_name_says(self) -> None:
        refused = {"kind": "conflict"}
        listed = [{"request": {"method": "GET", "url": URL}, "response": {"status": 200, "json": ["v"]}}]
        for name, steps, is_shown in (
            ("happy path", [present(), cleanup("7")], True),
            ("happy path", [cleanup("7"), present()], False),
            ("happy path", [present(error=refused), cleanup("7")], False),
            ("two values", [present(), other_value()], True),
            ("two values", [present(), present()], False),
            ("repeat", [present(), present()], True),
            ("repeat", [present()], False),
            ("repeat", [present(exchanges=listed)], True),
            ("cleanup by value", [cleanup("7", with_handle="")], True),
            ("cleanup by value", [cleanup("7")], True),
            ("cleanup by value", [present(), cleanup("7")], False),
            ("cleanup by value", [cleanup("7", with_handle="7")], False),
            *((name, [], False) for name in ("happy path", "two values", "repeat", "cleanup by value")),
        ):
            with self.subTest(name, steps=len(steps), is_shown=is_shown):
                changed = script()
                next(one for one in changed["scenarios"] if one["name"] == name)["steps"] = steps
                said = failures(Example, changed).get("script", "")
                self.assertEqual(f"lacks {name} (it needs " in said, not is_shown, said)

    def test_a_status_that_no_server_sends_is_found(self) -> None:
        changed = script()
        changed["scenarios"][0]["steps"][1]["exchanges"][0]["response"]["status"] = 99
        said = failures(Example, changed)["script"]
        self.assertIn("scenario 'happy path', step 2: a status is a number from 200 to 599, not 99", said)

    def test_refusals_can_be_replaced(self) -> None:
        replaced = script()
        replaced["refusals"] = [{"name": "401", "response": {"status": 400}, "error": {"kind": "unauthorized"}}]
        self.assertEqual(list(failures(Example, replaced)), ["always 401"])

    def test_secrets_in_errors_are_found(self) -> None:
        self.assertIn("a secret is in the error", failures(Leaking, script())["always 401"])


class Mocks(unittest.TestCase):
    def test_what_the_api_saw_is_told_though_the_provider_swallows_it(self) -> None:
        with self.assertRaisesRegex(AssertionError, "a request too many"), MockApi({"TOKEN": "t"}):
            with contextlib.suppress(AssertionError):
                Example().cleanup(TxtRecord("", "", ""), "1")

    def test_outside_of_a_mock_there_is_no_network(self) -> None:
        with self.assertRaises(RuntimeError):
            http.Client(URL).get("x")

    def test_natively_the_export_is_the_provider(self) -> None:
        self.assertIs(export(Example), Example)


class Exports(unittest.TestCase):
    def test_a_class_that_is_no_provider_is_refused_at_once(self) -> None:
        class Half(DnsProvider):
            def present(self, record: TxtRecord) -> str:
                return ""

        class Silent(Example):
            @staticmethod
            def describe() -> Description:
                return None  # type: ignore[return-value]

        class Slip(Example):
            @staticmethod
            def describe() -> Description:
                return Description("slip", "1.0.0", hosts=("a.example"))  # type: ignore[arg-type]

        provider: Any
        for provider, message in (
            (Half, "Half is no provider yet: it lacks cleanup, describe"),
            (Silent, "Silent.describe must return a Description, not None"),
            (Slip, "hosts must be a tuple"),
            (str, "export takes a class that is derived from DnsProvider, not <class 'str'>"),
            (Example.present, "export takes a class that is derived from DnsProvider"),
        ):
            with self.subTest(message), self.assertRaises(TypeError) as caught:
                export(provider)
            self.assertIn(message, str(caught.exception))
