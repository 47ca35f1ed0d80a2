import assert from "node:assert/strict";
import { test } from "node:test";

import { basic, bearer, Client, PluginError, request, segment } from "../acme-manager-plugin/index.js";
import { failure } from "../acme-manager-plugin/host/failure.js";
import { withApi } from "../acme-manager-plugin/testing.js";

const URL = "https://api.example.com/v1/zones";

/** Runs a function against an API that expects one request. */
function once(expected, response, run) {
  return withApi({ exchanges: [{ request: { method: "GET", url: URL, ...expected }, response }] }, run);
}

test("a client puts a request together", () => {
  const headers = {
    accept: "application/json",
    authorization: "Bearer t",
    "content-length": "13",
    "content-type": "application/json",
  };
  const expected = { method: "POST", url: `${URL}?name=a%20b%26c&page=2`, headers, json: { name: "ü" } };
  once(expected, { status: 201, headers: { "X-Id": "7" }, json: { id: "ä" } }, () => {
    const api = new Client("https://api.example.com/v1/", { headers: { Authorization: bearer("t") } });
    const query = { name: "a b&c", none: undefined, page: 2 };
    const answer = api.post("/zones", { query, json: { name: "ü" } });
    assert.equal(answer.header("x-id"), "7");
    assert.deepEqual(answer.json(), { id: "ä" });
  });
});

test("a request's own headers stand before those of the client, whatever their case", () => {
  once({ headers: { authorization: "Bearer own" } }, { status: 204 }, () => {
    const api = new Client("https://api.example.com/v1", { headers: { Authorization: bearer("t") } });
    api.get("zones", { headers: { AUTHORIZATION: bearer("own") } });
  });
});

test("forms and other bodies", () => {
  const form = { "content-type": "application/x-www-form-urlencoded" };
  once({ method: "PUT", headers: form, body: "a=1&a=%27" }, { status: 200 }, () => {
    request("PUT", URL, { form: [["a", 1], ["a", "'"]] });
  });
  once({ method: "PATCH", headers: { "content-type": "text/plain" }, body: "é" }, { status: 200 }, () => {
    request("PATCH", URL, { body: "é", headers: { "Content-Type": "text/plain" } });
  });
});

test("credentials and segments", () => {
  assert.equal(basic("üser", "pä:ss"), "Basic w7xzZXI6cMOkOnNz");
  assert.equal(segment("a/b ü!'()*~"), "a%2Fb%20%C3%BC%21%27%28%29%2A~");
});

test("statuses become errors of the fitting kind", () => {
  const kinds = {
    302: "other",
    400: "rejected",
    401: "unauthorized",
    403: "unauthorized",
    404: "rejected",
    408: "unavailable",
    409: "conflict",
    412: "conflict",
    429: "rate-limited",
    500: "unavailable",
    503: "unavailable",
  };
  for (const [status, kind] of Object.entries(kinds)) {
    once({}, { status: Number(status), headers: { "Retry-After": "7" }, body: " no\nway " }, () => {
      const message = `GET api.example.com/v1/zones answered ${status}: no way`;
      assert.throws(() => request("GET", URL), { kind, message, retryAfter: 7 });
    });
  }
  once({}, { status: 404 }, () => assert.equal(request("GET", URL, { accept: [404] }).ok, false));
});

test("an answer that is not what was expected is the vendor's failure", () => {
  const message = "GET api.example.com/v1/zones answered 200 with unexpected JSON";
  for (const body of ["<html>", "", "null", '{"zones": 1}']) {
    once({}, { status: 200, body }, () => {
      const read = () => request("GET", URL).json(({ zones }) => Array.isArray(zones));
      assert.throws(read, { kind: "unavailable", message });
    });
  }
});

test("errors repeat neither queries nor endless bodies", () => {
  once({ url: `${URL}?key=s3cret` }, { status: 400, body: "x".repeat(1e5) }, () => {
    assert.throws(() => request("GET", `${URL}?key=s3cret`), (error) => {
      return !error.message.includes("s3cret") && error.message.length < 600;
    });
  });
  once({}, { status: 200, body: "x".repeat(11) }, () => {
    const message = "GET api.example.com/v1/zones: the answer is larger than 10 bytes";
    assert.throws(() => request("GET", URL, { maxBody: 10 }), { kind: "other", message });
  });
});

test("what cannot be sent is told apart", () => {
  const unusable = ["", "api.example.com", "ftp://a", "https://", "https://me@a", "https://ä", "https://a/ä"];
  for (const url of [...unusable, "https://a?b", "https://a#b"]) {
    assert.throws(() => new Client(url), { kind: "config" }, url);
  }
  assert.throws(() => request("GET", URL, { headers: { authorization: "Bearer t\n" } }), { kind: "config" });
  assert.throws(() => request("GET", `${URL}?ä`), { kind: "other" });
});

test("what the host says of connections", () => {
  assert.equal(failure({ tag: "HTTP-request-denied" }).kind, "config");
  assert.equal(failure({ tag: "DNS-error", val: {} }).kind, "unavailable");
  assert.equal(failure({ tag: "internal-error", val: "x" }).message, "the request failed: x");
  assert.equal(failure({ tag: "loop-detected" }).kind, "other");
});

test("an error has a kind of the contract and a delay that it can hold", () => {
  assert.throws(() => new PluginError("nonsense", ""), TypeError);
  const delay = (seconds) => new PluginError("rate-limited", "x", seconds).toRecord().retryAfter;
  assert.deepEqual([undefined, 7.5, -1, 1e12, NaN].map(delay), [null, 7, 0, 3600, null]);
});
