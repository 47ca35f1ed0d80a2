import assert from "node:assert/strict";
import { test } from "node:test";

import { dns, env, exportProvider, log, PluginError, remaining, sleep } from "../acme-manager-plugin/index.js";
import { conformance, txtRecord, withApi } from "../acme-manager-plugin/testing.js";

class Example {
  static describe() {
    return {
      name: "example",
      version: "1.0.0",
      environment: [{ name: "EXAMPLE_TOKEN", required: true, secret: true }],
      times: { prefix: "EXAMPLE_", ttl: 60, propagationTimeout: 90, pollingInterval: 3 },
    };
  }

  constructor() {
    this.token = env.required("EXAMPLE_TOKEN");
  }

  check() {}

  present({ value }) {
    if (value === "refused") throw new PluginError("conflict", "busy", 3);
    if (value === "promise") return Promise.resolve("handle");
    if (value === "defect") return value.none.none;
    return value === "nothing" ? undefined : `${this.token}/${value}`;
  }

  cleanup() {}
}

const provider = exportProvider(Example);
const record = (value) => txtRecord("example.com", "_acme-challenge.example.com", value);
const environment = { EXAMPLE_TOKEN: " t \n", EXAMPLE_TTL: "300" };

/** The payload of what a call throws, and what it logged. */
function thrown(value) {
  let payload;
  const lines = withApi({ environment }, () => {
    try {
      provider.present(record(value));
    } catch (error) {
      payload = error.payload;
    }
  });
  return { payload, lines };
}

test("a description is completed", () => {
  withApi({ environment }, () => {
    const { environment: keys, ...rest } = provider.describe();
    assert.deepEqual(rest, {
      name: "example",
      version: "1.0.0",
      homepage: "",
      hosts: [],
      defaultTtl: 300,
      propagationTimeout: 90,
      propagationInterval: 3,
      multipleValues: true,
      reportsReady: false,
    });
    assert.deepEqual(
      keys.map(({ name, required, default: value }) => [name, required, value]),
      [
        ["EXAMPLE_TOKEN", true, null],
        ["EXAMPLE_TTL", false, "60"],
        ["EXAMPLE_PROPAGATION_TIMEOUT", false, "90"],
        ["EXAMPLE_POLLING_INTERVAL", false, "3"],
      ],
    );
  });
});

test("a description with a slip is no description", () => {
  const described = (description) => {
    const describe = () => ({ name: "a", version: "1.0.0", ...description });
    return () => exportProvider({ describe, check() {}, present() {}, cleanup() {} }).describe();
  };
  assert.throws(described({ defaultTTL: 60 }), /no field defaultTTL/);
  assert.throws(described({ defaultTtl: "60" }), /defaultTtl cannot be 60/);
  assert.throws(described({ defaultTtl: 0.5 }), /defaultTtl cannot be 0.5/);
  assert.throws(described({ environment: [{ nam: "A" }] }), /no field nam/);
  assert.doesNotThrow(described({ defaultTtl: 60 }));
});

test("a provider without a method is found when it is built", () => {
  assert.throws(() => exportProvider(class {}), /no static method describe/);
  assert.throws(() => exportProvider({ describe() {}, check() {}, present() {} }), /no method cleanup/);
});

test("calls get a new instance with the environment of the moment", () => {
  withApi({ environment }, () => {
    assert.equal(provider.present(record("v")), "t/v");
    assert.equal(provider.present(record("nothing")), "");
    assert.equal(provider.ready(record("v"), ""), true);
  });
  withApi({}, () => assert.throws(() => provider.check(), { kind: "config", message: "EXAMPLE_TOKEN is not set" }));
});

test("errors cross as the contract's record, defects as none of it", () => {
  assert.deepEqual(thrown("refused").payload, { kind: "conflict", message: "busy", retryAfter: 3 });
  const { payload, lines } = thrown("defect");
  assert.match(payload.kind, /^TypeError: .* in present$/);
  assert.match(lines[0].message, /^present: TypeError/);
  assert.match(thrown("promise").payload.kind, /leave out async/);
});

test("values of the environment are trimmed, and empty means unset", () => {
  withApi({ environment: { A: " x \n", B: "  ", TTL: "60", BAD: "s3cret", NEGATIVE: "-1" } }, () => {
    assert.equal(env.required("A"), "x");
    assert.equal(env.optional("B"), undefined);
    assert.equal(env.optional("B", "b"), "b");
    assert.equal(env.parsedOr("TTL", env.integer, 120), 60);
    assert.equal(env.parsedOr("NONE", env.integer, 120), 120);
    assert.throws(() => env.parsedOr("NEGATIVE", env.integer, 1), { kind: "config" });
    const message = "BAD is not valid: it must be a whole number";
    assert.throws(() => env.parsedOr("BAD", env.integer, 1), { kind: "config", message });
    assert.throws(() => env.parsedOr("BAD", JSON.parse, 1), { kind: "config", message: "BAD is not valid" });
  });
});

test("names are cut at their zone only", () => {
  assert.equal(dns.relativeTo("_acme-challenge.www.example.com", "example.com"), "_acme-challenge.www");
  assert.equal(dns.relativeTo("example.com", "example.com"), "@");
  assert.equal(dns.relativeTo("a.badexample.com", "example.com"), "a.badexample.com");
  assert.equal(dns.relativeTo("a.example.com", ""), "a.example.com");
  assert.equal(dns.absolute("a.example.com"), "a.example.com.");
  assert.equal(dns.quoted('a"b\\c'), '"a\\"b\\\\c"');
  assert.deepEqual(dns.zoneCandidates({ zone: "", name: "_acme-challenge.a.example.com" }), [
    "a.example.com",
    "example.com",
    "com",
  ]);
  assert.deepEqual(dns.zoneCandidates(record("v")), ["example.com"]);
});

test("time passes without waiting", () => {
  const lines = withApi({}, () => {
    sleep(20_000);
    assert.equal(remaining(), 10_000);
    sleep(20_000);
    assert.equal(remaining(), 0);
    log.warn("late");
  });
  assert.deepEqual(lines, [{ level: "warn", message: "late" }]);
});

test("a script's differences are found", () => {
  const present = (step) => ({ call: "present", record: record("v"), ...step });
  const run = (name, step) => () => {
    const script = { environment: { EXAMPLE_TOKEN: "t" }, scenarios: [{ name: "one", steps: [present(step)] }] };
    conformance(provider, script).find((one) => one.name === name).run();
  };
  assert.doesNotThrow(run("one", { handle: "t/v" }));
  assert.doesNotThrow(run("no environment"));
  assert.throws(run("one", { handle: "other" }), /the handle/);
  assert.throws(run("one", { error: { kind: "conflict" } }), /an error of the kind conflict was expected/);
  assert.throws(run("script"), /scenarios that every script must have/);
  assert.throws(run("always 401"), /an error of the kind unauthorized was expected/);
  const exchanges = [{ request: { method: "GET", url: "https://a/" }, response: { status: 200 } }];
  assert.throws(run("one", { exchanges }), /1 requests did not come; the next was https:\/\/a\//);
});
