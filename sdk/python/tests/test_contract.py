import unittest
from typing import Any

from acme_manager_plugin import Description, ErrorKind, Key, PluginError, TxtRecord, clock, dns, env, log
from acme_manager_plugin.testing import MockApi


class Environment(unittest.TestCase):
    def test_values_are_trimmed_and_empty_means_unset(self) -> None:
        with MockApi({"A": " x \n", "B": "  "}):
            self.assertEqual(env.required("A"), "x")
            self.assertIsNone(env.optional("B"))
            self.assertEqual(env.optional("B", "y"), "y")
            with self.assertRaises(PluginError) as caught:
                env.required("B")
            self.assertEqual((caught.exception.kind, caught.exception.message), (ErrorKind.CONFIG, "B is not set"))

    def test_parsed_values(self) -> None:
        with MockApi({"TTL": "60", "BAD": "s3cret", "SWITCH": "True", "LONG": "9" * 5000, "NEGATIVE": "-1"}):
            self.assertEqual(env.parsed_or("TTL", env.whole_seconds, 120), 60)
            self.assertEqual(env.parsed_or("NONE", env.whole_seconds, 120), 120)
            self.assertTrue(env.parsed_or("SWITCH", env.true_or_false, False))
            for name in ("BAD", "LONG", "NEGATIVE"):
                with self.subTest(name), self.assertRaises(PluginError) as caught:
                    env.parsed_or(name, env.whole_seconds, 120)
                self.assertEqual(caught.exception.message, f"{name} is not valid: it takes whole seconds")
            with self.assertRaises(PluginError) as caught:
                env.parsed_or("BAD", int, 1)
            self.assertNotIn("s3cret", caught.exception.message)


class Descriptions(unittest.TestCase):
    def test_times_follow_the_environment(self) -> None:
        plain = Description("example", "1.0.0")
        with MockApi({"X_TTL": "300", "X_POLLING_INTERVAL": "often"}):
            described = plain.with_times("X_", ttl=60, propagation_timeout=90, polling_interval=3)
            self.assertEqual(env.ttl("X_", 60), 300)
        times = (described.default_ttl, described.propagation_timeout, described.propagation_interval)
        self.assertEqual(times, (300, 90, 3))
        names = [key.name for key in described.environment]
        self.assertEqual(names, ["X_TTL", "X_PROPAGATION_TIMEOUT", "X_POLLING_INTERVAL"])
        self.assertEqual(described.environment[0].default, "60")


    def test_what_is_no_tuple_is_refused_in_words(self) -> None:
        key = Key("TOKEN", "a token")
        for fields, message in (
            ({"hosts": ("a.example")}, "hosts must be a tuple, not a single str: write hosts=('a.example',), with the"),
            ({"environment": (key)}, "environment must be a tuple, not a single Key: write environment=(Key(…),)"),
            ({"hosts": None}, "hosts must be a tuple, not None"),
            ({"hosts": (7,)}, "hosts must hold str only, not 7"),
            ({"environment": ("TOKEN",)}, "environment must hold Key only, not 'TOKEN'"),
        ):
            self.refused(message, fields)
        with self.assertRaisesRegex(TypeError, "aliases must be a tuple"):
            Key("TOKEN", "a token", aliases="OLD_TOKEN")  # type: ignore[arg-type]

    def test_a_list_is_taken_for_a_tuple(self) -> None:
        fields: dict[str, Any] = {"hosts": ["a.example"], "environment": [Key("TOKEN", "a token")]}
        described = Description("example", "1.0.0", **fields).with_times("X_", 60, 90, 3)
        self.assertEqual((described.hosts, len(described.environment)), (("a.example",), 4))

    def test_hosts_are_hosts(self) -> None:
        good = ("api.example.com", "api.example.com:8443", "*.example.com", "http://a.internal:8081", "[2001:db8::1]")
        self.assertEqual(Description("example", "1.0.0", hosts=good).hosts, good)
        for bad in ("", "*", "a b", "https://api.example.com/v1", "api.example.com/v1", "a..b", "api.*.com", "a:port"):
            self.refused(f"hosts: {bad!r} is no host", {"hosts": (bad,)})

    def test_seconds_are_whole(self) -> None:
        self.refused("default_ttl must be whole seconds, not '60'", {"default_ttl": "60"})
        self.refused("propagation_interval must be whole seconds, not 0.5", {"propagation_interval": 0.5})

    def refused(self, message: str, fields: dict[str, Any]) -> None:
        with self.subTest(message), self.assertRaises((TypeError, ValueError)) as caught:
            Description("example", "1.0.0", **fields)
        self.assertIn(message, str(caught.exception))


class Names(unittest.TestCase):
    def test_a_name_is_cut_at_its_zone_only(self) -> None:
        self.assertEqual(dns.relative("_acme-challenge.www.example.com", "example.com"), "_acme-challenge.www")
        self.assertEqual(dns.relative("example.com", "example.com"), "@")
        self.assertEqual(dns.relative("a.badexample.com", "example.com"), "a.badexample.com")
        self.assertEqual(dns.relative("a.example.com", ""), "a.example.com")

    def test_without_a_zone_every_parent_is_a_candidate(self) -> None:
        name = "_acme-challenge.a.example.com"
        self.assertEqual(dns.zone_candidates(TxtRecord("", name, "v")), ["a.example.com", "example.com", "com"])
        self.assertEqual(dns.zone_candidates(TxtRecord("example.com", name, "v")), ["example.com"])

    def test_zone_file_text(self) -> None:
        self.assertEqual(dns.quoted('a"b\\c'), '"a\\"b\\\\c"')
        self.assertEqual((dns.absolute("a.b"), dns.absolute("a.b.")), ("a.b.", "a.b."))


class Calls(unittest.TestCase):
    def test_waiting_ends_with_the_call(self) -> None:
        with MockApi() as api:
            clock.sleep(10)
            self.assertEqual(clock.remaining(), 20)
            clock.sleep(-1)
            clock.sleep(100)
            self.assertEqual(api.time_left, 0)

    def test_the_log_belongs_to_the_test(self) -> None:
        with MockApi() as api:
            log.info("a")
            log.warn("b")
        self.assertEqual(api.lines, [("info", "a"), ("warn", "b")])

    def test_seconds_to_wait_fit_the_contract(self) -> None:
        waits = [PluginError(ErrorKind.RATE_LIMITED, "", wait).retry_after for wait in (None, -1, 7, 2**40)]
        self.assertEqual(waits, [None, 0, 7, 2**32 - 1])
