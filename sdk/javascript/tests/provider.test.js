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

/** The payload of what a call throws, or the last words of a component, and what it logged. */
function thrown(value) {
  let payload, lastWords;
  const lines = withApi({ environment }, () => {
    try {
      provider.present(record(value));
    } catch (error) {
      ({ payload, lastWords } = error);
    }
  });
  return { payload, lastWords, lines };
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
  const says = (description, lastWords) => assert.throws(described(description), { lastWords });
  assert.throws(described({ defaultTTL: 60 }), { lastWords: /^a description has no field defaultTTL, but name, / });
  says({ defaultTtl: "60" }, 'the field defaultTtl must be a whole number, not "60"');
  says({ defaultTtl: 0.5 }, "the field defaultTtl must be a whole number, not 0.5");
  says({ hosts: "a.example" }, 'the field hosts must be a list, not "a.example"');
  says({ hosts: null }, "the field hosts must be a list, not null");
  says({ hosts: [7] }, "the field hosts must hold texts only, not [7]");
  says({ version: "" }, "a description needs the field version");
  assert.throws(described({ environment: [{ nam: "A" }] }), { lastWords: /^a variable has no field nam, but name, / });
  says({ environment: ["A"] }, 'a variable must be an object, not "A"');
  says({ environment: [{ help: "a token" }] }, "a variable needs the field name");
  says({ times: { prefix: "A_", ttl: 60, propagationTimeout: 60 } }, "times needs the field pollingInterval");
  for (const host of ["", "*", "a b", "https://a.example/v1", "a..b", "a.*.b", "a:port"]) {
    assert.throws(described({ hosts: [host] }), { lastWords: /^hosts: ".*" is no host: / }, host);
  }
  const hosts = ["a.example", "a.example:8443", "*.a.example", "http://a.internal:8081", "[2001:db8::1]:80"];
  assert.doesNotThrow(described({ hosts }));
  assert.doesNotThrow(described({ defaultTtl: 60 }));
});

test("a description that is none, or an error, ends describe as a crash", () => {
  const described = (describe) => () => exportProvider({ describe, check() {}, present() {}, cleanup() {} }).describe();
  assert.throws(described(() => undefined), { lastWords: "describe must return an object, not undefined" });
  const error = () => env.required("EXAMPLE_TOKEN");
  assert.throws(described(error), { lastWords: "PluginError: EXAMPLE_TOKEN is not set in describe" });
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
  const { payload, lastWords, lines } = thrown("defect");
  assert.equal(payload, undefined);
  assert.match(lastWords, /^TypeError: .* in present$/);
  assert.match(lines[0].message, /^present: TypeError/);
  assert.match(thrown("promise").lastWords, /^present returned a promise: .*leave out async/);
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
  assert.throws(run("script"), /the script lacks happy path \(it is not there; it needs /);
  assert.throws(run("always 401"), /an error of the kind unauthorized was expected/);
  const exchanges = [{ request: { method: "GET", url: "https://a/" }, response: { status: 200 } }];
  assert.throws(run("one", { exchanges }), /1 requests did not come; the next was https:\/\/a\//);
});
