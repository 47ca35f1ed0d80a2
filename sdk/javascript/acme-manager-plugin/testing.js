/**
 * Tests of a provider in Node.js: the environment and the vendor's API are a script, time and network play no part.
 * What `acme-manager-server plugin test` says of the finished component counts in the end.
 */

import assert from "node:assert/strict";

import { PluginError } from "./errors.js";
import { under } from "./host/simulated.js";
import { missing, wrongStatuses } from "./required.js";

/** @import { ErrorKind } from "./errors.js" */
/** @import { Incoming, Outgoing } from "./http.js" */
/** @import { TxtRecord } from "./provider.js" */

/**
 * A request that must come and its answer. In `url`, header values and `body`, `*` stands for any run of characters;
 * what is left out of the request is not looked at.
 *
 * @typedef {object} Exchange
 * @property {{ method: string, url: string, headers?: Record<string, string>, json?: unknown, body?: string }} request
 * @property {Answer} response
 */

/** @typedef {{ status: number, headers?: Record<string, string>, json?: unknown, body?: string }} Answer */

/**
 * @typedef {object} Step
 * @property {"check" | "present" | "cleanup" | "ready"} call
 * @property {TxtRecord} [record]
 * @property {string} [with_handle] Instead of what the last `present` of the same value returned.
 * @property {Exchange[]} [exchanges]
 * @property {string} [handle] What `present` must return.
 * @property {boolean} [ready] What `ready` must return.
 * @property {{ kind: ErrorKind, contains?: string, retry_after?: number }} [error]
 */

/**
 * A whole `conformance.json`. `sdk/script/README.md` of acme-manager documents it.
 *
 * @typedef {object} Script
 * @property {Record<string, string>} environment
 * @property {{ name: string, environment?: Record<string, string>, steps: Step[] }[]} scenarios
 * @property {{ name: string, response: Answer, error: Step["error"] }[]} [refusals]
 */

/** What every provider must understand. */
const REFUSALS = [
  { name: "401", response: { status: 401, json: {} }, error: { kind: "unauthorized" } },
  {
    name: "429",
    response: { status: 429, headers: { "retry-after": "7" }, json: {} },
    error: { kind: "rate-limited", retry_after: 7 },
  },
  { name: "500", response: { status: 500, json: {} }, error: { kind: "unavailable" } },
];

/** Values of the environment that are this short are looked for in no error: chance would find them. */
const SHORTEST_SECRET = 6;

/**
 * The cases of a `conformance.json`, for a test runner:
 *
 *     for (const { name, run } of conformance(provider, script)) test(name, run);
 *
 * @param {ReturnType<typeof import("./provider.js").exportProvider>} provider
 * @param {Script} script
 * @returns {{ name: string, run: () => void }[]}
 */
export function conformance(provider, script) {
  const sample = script.scenarios.flatMap(({ steps }) => steps).find(({ call }) => call === "present");
  const own = script.refusals ?? [];
  const refusals = [...REFUSALS.filter(({ name }) => own.every((other) => other.name !== name)), ...own];
  const secrets = secretsOf(provider, script);
  return [
    { name: "script", run: () => complete(provider, script) },
    ...script.scenarios.map((scenario) => ({
      name: scenario.name,
      run: () => play(provider, scenario.steps, { ...script.environment, ...scenario.environment }, secrets),
    })),
    ...(sample ? refusals : []).map(({ name, response, error }) => ({
      name: `always ${name}`,
      run: () => {
        const step = { call: "present", record: sample.record, error };
        const host = { environment: script.environment, exchange: (outgoing) => answer(outgoing, response) };
        under(host, () => perform(provider, step, new Map(), secrets));
      },
    })),
    { name: "no environment", run: () => bare(provider) },
  ];
}

/**
 * Runs a function with an environment and an API that expects these requests, in this order, and no others. Returns
 * what was logged.
 *
 * @param {{ environment?: Record<string, string>, exchanges?: Exchange[] }} script
 * @param {() => void} run
 * @returns {{ level: string, message: string }[]}
 */
export function withApi({ environment = {}, exchanges = [] }, run) {
  const left = [...exchanges];
  let difference;
  const exchange = (outgoing) => {
    try {
      return next(left, outgoing);
    } catch (error) {
      // Whatever the provider makes of it.
      if (!(error instanceof PluginError)) difference ??= error;
      throw error;
    }
  };
  let lines;
  try {
    lines = under({ environment, exchange }, run);
  } catch (error) {
    throw difference ?? error;
  }
  if (difference) throw difference;
  const [missing] = left;
  assert.ok(!missing, `${left.length} requests did not come; the next was ${missing?.request.url}`);
  return lines;
}

/**
 * A record to call a provider with.
 *
 * @param {string} zone
 * @param {string} name
 * @param {string} value
 * @returns {TxtRecord}
 */
export function txtRecord(zone, name, value) {
  return { zone, name, value, ttl: 0 };
}

function play(provider, steps, environment, secrets) {
  const handles = new Map();
  for (const [index, step] of steps.entries()) {
    try {
      withApi({ environment, exchanges: step.exchanges }, () => perform(provider, step, handles, secrets));
    } catch (error) {
      error.message = `step ${index + 1} (${step.call}): ${error.message}`;
      throw error;
    }
  }
}

/** Makes one call and looks at how it ends. */
function perform(provider, step, handles, secrets) {
  const record = step.record && { ttl: 0, ...step.record };
  const known = step.with_handle ?? handles.get(record?.value) ?? "";
  let thrown;
  try {
    switch (step.call) {
      case "check":
        provider.check();
        break;
      case "present":
        handles.set(record.value, provider.present(record));
        break;
      case "cleanup":
        provider.cleanup(record, known);
        break;
      case "ready":
        assert.equal(provider.ready(record, known), step.ready ?? true, "whether it is ready");
        break;
      default:
        assert.fail(`the contract has no call ${step.call}`);
    }
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    thrown = error;
  }
  compare(thrown, step.error, secrets);
  if (step.handle !== undefined) assert.equal(handles.get(record.value), step.handle, "the handle");
}

function compare(error, expected, secrets) {
  if (!expected) {
    if (error) throw error;
    return;
  }
  assert.ok(error, `an error of the kind ${expected.kind} was expected, but the call succeeded`);
  const { kind, message, retryAfter } = error.toRecord();
  assert.equal(kind, expected.kind, message);
  assert.ok(message, "an error needs a message");
  assert.ok(!secrets.some((secret) => message.includes(secret)), `a secret is in ${JSON.stringify(message)}`);
  if (expected.contains) assert.ok(message.includes(expected.contains), `${message} lacks ${expected.contains}`);
  if (expected.retry_after !== undefined) assert.equal(retryAfter, expected.retry_after, "the delay");
}

/** What can be said of a script without running it. */
function complete(provider, script) {
  const { environment, scenarios } = script;
  const { environment: keys, multipleValues } = provider.describe();
  const names = scenarios.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length, "two scenarios have the same name");
  const wrong = wrongStatuses(script);
  assert.ok(!wrong.length, wrong.join("; "));
  const lacks = missing(scenarios, multipleValues);
  assert.ok(!lacks.length, `the script lacks ${lacks.join("; ")}`);
  const unknown = Object.keys(environment).filter((name) => keys.every((key) => key.name !== name));
  assert.deepEqual(unknown, [], "variables that describe does not name");
}

/** Without what it needs, `check` must say so. */
function bare(provider) {
  if (!provider.describe().environment.some(({ required }) => required)) return;
  under({}, () => assert.throws(() => provider.check(), { kind: "config" }));
}

function secretsOf(provider, { environment }) {
  const keys = provider.describe().environment.filter(({ secret }) => secret);
  const values = keys.map(({ name }) => environment[name]);
  return values.filter((value) => value?.length >= SHORTEST_SECRET);
}

/** The answer to a request, if it is the one that must come next. */
function next(left, outgoing) {
  const { method, scheme, authority, pathWithQuery } = outgoing;
  const sent = `${method} ${scheme}://${authority}${pathWithQuery}`;
  const exchange = left.shift();
  assert.ok(exchange, `a request too many: ${sent}`);
  const { request, response } = exchange;
  const expected = `${request.method} ${request.url}`;
  assert.ok(matches(expected, sent), `expected ${expected}, got ${sent}`);
  const headers = Object.fromEntries(outgoing.headers);
  for (const [name, pattern] of Object.entries(request.headers ?? {})) {
    const value = headers[name.toLowerCase()];
    assert.ok(value !== undefined && matches(pattern, value), `${sent}: expected ${name}: ${pattern}, got ${value}`);
  }
  const body = new TextDecoder().decode(outgoing.body);
  if (request.json !== undefined) assert.deepEqual(JSON.parse(body), request.json, `the body of ${sent}`);
  if (request.body !== undefined) assert.ok(matches(request.body, body), `the body of ${sent}: ${body}`);
  return answer(outgoing, response);
}

/** @param {Outgoing} outgoing @param {Answer} answer @returns {Incoming} */
function answer({ maxBody }, { status, headers = {}, json, body = "" }) {
  const bytes = new TextEncoder().encode(json === undefined ? body : JSON.stringify(json));
  if (bytes.length > maxBody) throw new PluginError("other", `the answer is larger than ${maxBody} bytes`);
  return { status, headers: Object.entries(headers), body: bytes };
}

/** Whether `*` and the text around it stand for a text. */
function matches(pattern, text) {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*")}$`).test(text);
}
