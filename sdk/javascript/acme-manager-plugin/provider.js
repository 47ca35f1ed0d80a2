/**
 * What a component exports.
 */

import { crash } from "#host";

import { parsedOr, integer } from "./env.js";
import { PluginError } from "./errors.js";
import * as log from "./log.js";

/**
 * One TXT value to create or remove.
 *
 * @typedef {object} TxtRecord
 * @property {string} zone The zone that holds the record, as found by the host: no trailing dot, lower case. Empty
 *   when it could not look it up; then find it from `name` (`dns.zoneCandidates`).
 * @property {string} name The full name, no trailing dot, lower case: `_acme-challenge.www.example.com`.
 * @property {string} value The text, unquoted.
 * @property {number} ttl Seconds; 0 for the provider's default (`dns.ttlOr`).
 */

/**
 * An environment variable that a provider reads.
 *
 * @typedef {object} EnvironmentKey
 * @property {string} name
 * @property {string[]} [aliases] Other names that mean the same; the host hands the value over under `name`.
 * @property {boolean} [required] The provider cannot work without it.
 * @property {boolean} [secret] The value must never be seen.
 * @property {boolean} [endpoint] The value is the base URL of the provider's API.
 * @property {string} [default] The value used when it is not set, for people to read.
 * @property {string} [help] One line: what it is and where the vendor shows it.
 */

/**
 * The variables `<prefix>TTL`, `<prefix>PROPAGATION_TIMEOUT` and `<prefix>POLLING_INTERVAL` and what is used without
 * them; in seconds.
 *
 * @typedef {object} Times
 * @property {string} prefix For example `EXAMPLE_`.
 * @property {number} ttl `env.ttl` reads it for records.
 * @property {number} propagationTimeout How long a change may take to show on all of the vendor's name servers.
 * @property {number} pollingInterval How often to look.
 */

/**
 * What a provider says of itself.
 *
 * @typedef {object} Description
 * @property {string} name The name by which issuers refer to it: lower-case ASCII letters, digits and `-`.
 * @property {string} version Its own version: semantic versioning.
 * @property {string} [homepage]
 * @property {EnvironmentKey[]} [environment] Every variable that it reads, those of `times` apart.
 * @property {string[]} [hosts] The hosts that it talks to: `name`, `name:port` or `*.suffix`.
 * @property {Times} [times] Instead of the next three.
 * @property {number} [defaultTtl] Seconds, 120 if left out.
 * @property {number} [propagationTimeout] Seconds, 120 if left out.
 * @property {number} [propagationInterval] Seconds, 2 if left out.
 * @property {boolean} [multipleValues] Whether two TXT values can live at one name; true if left out.
 */

/**
 * The methods of a provider. None is `async`: a call that returns has done its work.
 *
 * @typedef {object} Provider
 * @property {() => void} check Whether the environment is complete and the credentials work; may read, must not change
 *   anything.
 * @property {(record: TxtRecord) => string | undefined} present Creates the value and leaves others at the name
 *   alone. One that is there already is a success. Returns the handle that `cleanup` gets: at most 4096 bytes, no
 *   secrets.
 * @property {(record: TxtRecord, handle: string) => void} cleanup Removes this value only. One that is not there is a
 *   success. The handle is empty when it was lost: then find the value by its name.
 * @property {(record: TxtRecord, handle: string) => boolean} [ready] Whether the change is live on all of the
 *   vendor's name servers. Where it is missing the host looks itself.
 */

const DESCRIPTION = {
  name: "",
  version: "",
  homepage: "",
  environment: [],
  hosts: [],
  defaultTtl: 120,
  propagationTimeout: 120,
  propagationInterval: 2,
  multipleValues: true,
  reportsReady: false,
};

const TIMES = { prefix: "", ttl: 0, propagationTimeout: 0, pollingInterval: 0 };

/** `name`, `name:port` or `*.suffix`; also with its scheme, or an address. */
const HOST = /^(https?:\/\/)?((\*\.)?[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$/iu;

const KEY = { name: "", aliases: [], required: false, secret: false, endpoint: false, default: "", help: "" };

/**
 * Makes the export of a component from a provider:
 *
 *     export const provider = exportProvider(Example);
 *
 * @param {(new () => Provider) & { describe(): Description } | Provider & { describe(): Description }} Provider A class
 *   with a static method `describe`, of which each call gets a new instance, so that its constructor reads the
 *   environment; or an object.
 */
export function exportProvider(Provider) {
  const isClass = typeof Provider === "function";
  const methods = isClass ? Provider.prototype : Provider;
  if (typeof Provider.describe !== "function") {
    throw new TypeError(`the provider has no ${isClass ? "static " : ""}method describe`);
  }
  for (const name of ["check", "present", "cleanup"]) {
    if (typeof methods[name] !== "function") throw new TypeError(`the provider has no method ${name}`);
  }
  const reportsReady = typeof methods.ready === "function";
  const call = (name, ...args) => settled(name, (isClass ? new Provider() : Provider)[name](...args));
  return {
    describe: () => guarded("describe", () => complete(settled("describe", Provider.describe()), reportsReady)),
    check: () => guarded("check", () => void call("check")),
    present: (record) => guarded("present", () => handle(call("present", record))),
    cleanup: (record, handle) => guarded("cleanup", () => void call("cleanup", record, handle)),
    ready: (record, handle) => guarded("ready", () => !reportsReady || Boolean(call("ready", record, handle))),
  };
}

/**
 * Puts what the contract calls an error into `payload`, where the engine looks for it. An exception that is no
 * `PluginError` is a defect, as is every one of `describe`: the call ends as a crash, with its message as last words.
 */
function guarded(name, run) {
  try {
    return run();
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(`${thrown} was thrown`);
    const isExpected = error instanceof PluginError && name !== "describe";
    if (isExpected) throw Object.assign(error, { payload: error.toRecord() });
    log.error(`${name}: ${error}\n${error.stack}`);
    return crash(error, error instanceof Slip ? error.message : `${error} in ${name}`);
  }
}

/** A wrong use of this module; the sentence says all. */
class Slip extends TypeError {}

function settled(name, result) {
  if (typeof result?.then !== "function") return result;
  throw new Slip(`${name} returned a promise: calls are synchronous, leave out async and await`);
}

function handle(value = "") {
  if (typeof value === "string") return value.toWellFormed();
  throw new Slip("present must return a text, the handle, or nothing");
}

/** The record of the contract, with all that was left out. */
function complete(said, reportsReady) {
  if (!isObject(said)) throw new Slip(`describe must return an object, not ${shown(said)}`);
  const { times, ...description } = said;
  known("a description", description, DESCRIPTION, ["name", "version"]);
  if (times !== undefined) known("times", times, TIMES, Object.keys(TIMES));
  for (const host of description.hosts ?? []) {
    if (!HOST.test(host)) {
      throw new Slip(`hosts: ${shown(host)} is no host: write "api.example.com", "name:port" or "*.suffix"`);
    }
  }
  const keys = [...(description.environment ?? []), ...(times ? keysOf(times) : [])];
  const environment = keys.map((key) => ({ ...KEY, default: null, ...known("a variable", key, KEY, ["name"]) }));
  return { ...DESCRIPTION, reportsReady, ...(times && timesOf(times)), ...description, environment };
}

/** Fields of other names and types would be ignored, or break the call without a word. */
function known(what, fields, of, required) {
  if (!isObject(fields)) throw new Slip(`${what} must be an object, not ${shown(fields)}`);
  for (const [name, value] of Object.entries(fields)) {
    if (!(name in of)) throw new Slip(`${what} has no field ${name}, but ${Object.keys(of).join(", ")}`);
    const wanted = kindOf(of[name]);
    if (kindOf(value) !== wanted) throw new Slip(`the field ${name} must be ${wanted}, not ${shown(value)}`);
    const isOfTexts = wanted !== "a list" || name === "environment" || value.every((item) => typeof item === "string");
    if (!isOfTexts) throw new Slip(`the field ${name} must hold texts only, not ${shown(value)}`);
  }
  const missing = required.find((name) => fields[name] === undefined || fields[name] === "");
  if (missing) throw new Slip(`${what} needs the field ${missing}`);
  return fields;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a value is, as far as descriptions tell values apart. */
function kindOf(value) {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number") return Number.isInteger(value) && value >= 0 ? "a whole number" : "another number";
  return { string: "a text", boolean: "true or false" }[typeof value] ?? "something else";
}

function shown(value) {
  return JSON.stringify(value) ?? String(value);
}

function timesOf(times) {
  // `check` reports a value that is no number; a description has no room for errors.
  const of = (name, fallback) => {
    try {
      return parsedOr(`${times.prefix}${name}`, integer, fallback);
    } catch {
      return fallback;
    }
  };
  return {
    defaultTtl: of("TTL", times.ttl),
    propagationTimeout: of("PROPAGATION_TIMEOUT", times.propagationTimeout),
    propagationInterval: of("POLLING_INTERVAL", times.pollingInterval),
  };
}

function keysOf({ prefix, ttl, propagationTimeout, pollingInterval }) {
  return [
    { name: `${prefix}TTL`, default: String(ttl), help: "Time to live of the TXT records, in seconds" },
    {
      name: `${prefix}PROPAGATION_TIMEOUT`,
      default: String(propagationTimeout),
      help: "How long a change may take to show, in seconds",
    },
    { name: `${prefix}POLLING_INTERVAL`, default: String(pollingInterval), help: "How often to look, in seconds" },
  ];
}
