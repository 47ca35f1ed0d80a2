import unittest

from acme_manager_plugin import Description, ErrorKind, PluginError, TxtRecord, clock, dns, env, log
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
