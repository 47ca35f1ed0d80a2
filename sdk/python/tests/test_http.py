import unittest

from acme_manager_plugin import ErrorKind, PluginError, http
from acme_manager_plugin._message import Incoming, Outgoing
from acme_manager_plugin.testing import MockApi

URL = "https://api.example.com/v1"


class Requests(unittest.TestCase):
    def test_a_request_is_what_was_said(self) -> None:
        api = http.Client(URL + "/", auth=http.bearer("t"), headers={"X-Any": "a", "Accept": "b"})
        with MockApi() as mock:
            mock.expect(
                "POST",
                URL + "/zones/a%2Fb?name=x%20y%26&page=1",
                headers={
                    "authorization": "Bearer t",
                    "x-any": "c",
                    "accept": "b",
                    "content-type": "application/json",
                    "content-length": "8",
                    "user-agent": "acme-manager-plugin-python/*",
                },
                json={"a": 1},
            ).answer(201, {"id": "7"})
            query: dict[str, str | int] = {"name": "x y&", "page": 1}
            answer = api.post(f"/zones/{http.segment('a/b')}", query=query, headers={"X-ANY": "c"}, json={"a": 1})
            self.assertEqual((answer.status, answer.json()), (201, {"id": "7"}))

    def test_bodies(self) -> None:
        api = http.Client(URL, auth=http.basic("Aladdin", "open sesame"))
        with MockApi() as mock:
            form = {"content-type": "application/x-www-form-urlencoded"}
            mock.expect("PUT", URL + "/x", headers=form, body="a=1&b=x%20y")
            # RFC 7617 §2
            basic = {"authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "content-type": "text/plain"}
            mock.expect("PATCH", URL + "/x", headers=basic, body="text")
            mock.expect("POST", URL, headers={"content-length": "0"})
            api.put("x", form={"a": 1, "b": "x y"})
            api.patch("x", body=b"text", headers={"content-type": "text/plain"})
            api.post("")

    def test_a_signer_sees_the_finished_request(self) -> None:
        def sign(request: Outgoing) -> None:
            request.headers["x-signed"] = f"{request.method} {request.url} {request.body.decode()}"
            request.url += "&signature=1"

        with MockApi() as mock:
            mock.expect("POST", URL + "/a?x=1&signature=1", headers={"x-signed": f"POST {URL}/a?x=1 {{}}"})
            http.Client(URL, sign=sign).post("a", query={"x": 1}, json={})

    def test_what_cannot_be_sent(self) -> None:
        with MockApi():
            with self.assertRaises(PluginError) as caught:
                http.Client(URL, auth=http.bearer("s3cret\n")).get("x")
            self.assertEqual(caught.exception.kind, ErrorKind.CONFIG)
            self.assertNotIn("s3cret", caught.exception.message)
            with self.assertRaises(PluginError) as caught:
                http.Client(URL).get("ä b")
            self.assertEqual(caught.exception.kind, ErrorKind.OTHER)

    def test_base_urls(self) -> None:
        for url in (
            "",
            "api.example.com",
            "ftp://a",
            "https://",
            "https://u:p@a",
            "https://a?b",
            "https://[",
            "https://ä",
        ):
            with self.subTest(url), self.assertRaises(PluginError) as caught:
                http.Client(url)
            self.assertEqual(caught.exception.kind, ErrorKind.CONFIG)


class Answers(unittest.TestCase):
    def test_statuses_have_kinds(self) -> None:
        kinds = {
            400: "rejected",
            401: "unauthorized",
            403: "unauthorized",
            404: "rejected",
            408: "unavailable",
            409: "conflict",
            412: "conflict",
            422: "rejected",
            429: "rate-limited",
            500: "unavailable",
            503: "unavailable",
            302: "other",
        }
        for status, kind in kinds.items():
            with self.subTest(status), MockApi() as mock:
                mock.expect("GET", URL + "/x?token=1").answer(status, body="why\n")
                with self.assertRaises(PluginError) as caught:
                    http.Client(URL).get("x", query={"token": 1})
                self.assertEqual(caught.exception.kind.value, kind)
                self.assertEqual(caught.exception.message, f"GET api.example.com/v1/x answered {status}: why")

    def test_accepted_statuses_are_no_errors(self) -> None:
        with MockApi() as mock:
            mock.expect("DELETE", URL + "/x").answer(404)
            mock.expect("GET", URL + "/x").answer(500)
            self.assertFalse(http.Client(URL).delete("x", accept=(404,)).is_success)
            self.assertEqual(http.Client(URL).get("x", accept=http.ANY_STATUS).status, 500)

    def test_retry_after(self) -> None:
        for value, seconds in {" 7 ": 7, "-1": None, "Wed, 21 Oct 2026 07:28:00 GMT": None, "²": None}.items():
            with self.subTest(value):
                answer = http.Response("GET x", Incoming(429, [("retry-after", value)], b""))
                self.assertEqual(answer.error().retry_after, seconds)

    def test_a_broken_connection_says_what_was_tried(self) -> None:
        with MockApi() as mock:
            mock.expect("GET", URL + "/x").fail(PluginError(ErrorKind.UNAVAILABLE, "the server refused the connection"))
            with self.assertRaises(PluginError) as caught:
                http.Client(URL).get("x")
            self.assertEqual(caught.exception.message, "GET api.example.com/v1/x: the server refused the connection")

    def test_bodies_that_are_not_json(self) -> None:
        for body in (b"<html>", b"", b"\xff", b"[" * 200, b'["', b'{"a":1'):
            with self.subTest(body), self.assertRaises(PluginError) as caught:
                http.Response("GET x", Incoming(200, [], body)).json()
            self.assertEqual(caught.exception.kind, ErrorKind.UNAVAILABLE)

    def test_json(self) -> None:
        deep = '"' + "[" * 200 + '\\"'
        self.assertEqual(http.Response("", Incoming(200, [], b"\xef\xbb\xbf[1]")).json(), [1])
        self.assertEqual(http.Response("", Incoming(200, [], f'[{deep}"]'.encode())).json(), ["[" * 200 + '"'])
        self.assertEqual(http.Response("", Incoming(200, [], b'{"a": 1}')).json(dict[str, int]), {"a": 1})
        with self.assertRaises(PluginError) as caught:
            http.Response("GET x", Incoming(200, [], b'{"a": "b"}')).json(dict[str, int])
        self.assertIn("a is not int", caught.exception.message)

    def test_an_error_repeats_the_start_of_the_body(self) -> None:
        error = http.Response("GET x", Incoming(500, [], b"a\nb" + b"c" * 9000)).error()
        self.assertTrue(error.message.startswith("GET x answered 500: a bcc"))
        self.assertLess(len(error.message), 600)
        own = http.Response("GET x", Incoming(400, [], b"a")).error("no such zone", ErrorKind.ZONE_NOT_FOUND)
        self.assertEqual((own.message, own.kind), ("GET x answered 400: no such zone", ErrorKind.ZONE_NOT_FOUND))

    def test_large_answers_are_given_up(self) -> None:
        with MockApi() as mock:
            mock.expect("GET", URL + "/x").answer(200, body="abc")
            with self.assertRaises(PluginError):
                http.Client(URL, max_body=2).get("x")
