/**
 * The host of a component: WASI 0.2 and the interface `host` of the contract. In Node.js `simulated.js` stands in its
 * place; `package.json` has the switch.
 */

import { log, remaining } from "acme-manager:dns/host";
import { getEnvironment } from "wasi:cli/environment";
import { subscribeDuration } from "wasi:clocks/monotonic-clock";
import { handle } from "wasi:http/outgoing-handler";
import { Fields, OutgoingBody, OutgoingRequest, RequestOptions } from "wasi:http/types";
import { poll } from "wasi:io/poll";
import { getRandomBytes } from "wasi:random/random";

import { decodeUtf8, encodeUtf8 } from "../encoding.js";
import { PluginError } from "../errors.js";
import { failure } from "./failure.js";

/** @import { Incoming, Outgoing } from "../http.js" */

/** No name resolution and handshake of a healthy API takes longer; in milliseconds, as all times here. */
const CONNECT_TIMEOUT = 10_000;

/** Kept back from the call's time, so that an error of ours still reaches the host. */
const MARGIN = 250;

/** The most that one blocking write may take (`wasi:io`, `blocking-write-and-flush`). */
const WRITE_CHUNK = 4096;

const READ_CHUNK = 64 * 1024;

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/** The engine has no console, and plugins come from people who are used to one. */
globalThis.console ??= Object.fromEntries(
  [["debug", "debug"], ["log", "info"], ["info", "info"], ["warn", "warn"], ["error", "error"]].map(
    ([name, level]) => [name, (...values) => log(level, values.map(String).join(" ").toWellFormed())],
  ),
);

export { getEnvironment as environment, log, remaining };

/**
 * Ends the call as a crash. The engine can only be brought to it by a mistake of ours, here a level that is none, and
 * says then what it found. A line of their own makes the words the last line, which is what the host repeats.
 *
 * @param {Error} error What has happened, already logged.
 * @param {string} words
 */
export function crash(error, words) {
  log(`\n${words.replaceAll(/\s+/g, " ")}`.toWellFormed(), "");
  throw error;
}

/** @param {number} milliseconds */
export function sleep(milliseconds) {
  subscribeDuration(nanoseconds(milliseconds)).block();
}

/** @param {number} length */
export function randomBytes(length) {
  return getRandomBytes(length);
}

/**
 * Sends a request and reads the answer to its end.
 *
 * @param {Outgoing} outgoing
 * @returns {Incoming}
 */
export function exchange(outgoing) {
  // The host wants back first what it handed out last: a stream before its body. The garbage collector does not know.
  const held = new DisposableStack();
  try {
    const response = held.use(wait(held.use(start(outgoing)), held));
    const fields = held.use(response.headers());
    const headers = fields.entries().map(([name, value]) => [name, decodeUtf8(value)]);
    return { status: response.status(), headers, body: read(response, outgoing.maxBody, held) };
  } finally {
    held.dispose();
  }
}

function start({ method, scheme, authority, pathWithQuery, headers, body }) {
  const fields = new Fields();
  for (const [name, value] of headers) {
    accepted(`header ${name}`, () => fields.append(name, encodeUtf8(value)));
  }
  const request = new OutgoingRequest(fields);
  const known = METHODS.includes(method);
  accepted("method", () => request.setMethod(known ? { tag: method.toLowerCase() } : { tag: "other", val: method }));
  accepted("scheme", () => request.setScheme({ tag: scheme.toUpperCase() }));
  accepted("authority", () => request.setAuthority(authority));
  accepted("path", () => request.setPathWithQuery(pathWithQuery));
  const outgoing = request.body();
  const future = answered(() => handle(request, limits()));
  write(outgoing, body);
  return future;
}

function limits() {
  const left = timeLeft();
  const options = new RequestOptions();
  options.setConnectTimeout(nanoseconds(Math.min(left, CONNECT_TIMEOUT)));
  options.setFirstByteTimeout(nanoseconds(left));
  options.setBetweenBytesTimeout(nanoseconds(left));
  return options;
}

function write(outgoing, bytes) {
  if (bytes.length) {
    const stream = outgoing.write();
    try {
      for (let at = 0; at < bytes.length; at += WRITE_CHUNK) {
        stream.blockingWriteAndFlush(bytes.subarray(at, at + WRITE_CHUNK));
      }
    } catch {
      // The peer may answer before it read everything; the answer or its failure says more.
      return;
    } finally {
      stream[Symbol.dispose]();
    }
  }
  answered(() => OutgoingBody.finish(outgoing, null));
}

function wait(future, held) {
  const answer = held.use(future.subscribe());
  const deadline = held.use(subscribeDuration(nanoseconds(timeLeft())));
  for (;;) {
    const result = future.get();
    if (result) return unwrap(result.val);
    if (deadline.ready()) throw new PluginError("unavailable", "no answer within the time of this call");
    poll([answer, deadline]);
  }
}

function read(response, limit, held) {
  const stream = held.use(held.use(response.consume()).stream());
  const ready = held.use(stream.subscribe());
  const deadline = held.use(subscribeDuration(nanoseconds(timeLeft())));
  const chunks = [];
  let length = 0;
  for (let chunk = next(stream); chunk; chunk = next(stream)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw new PluginError("other", `the answer is larger than ${limit} bytes`);
    if (chunk.length) continue;
    if (deadline.ready()) throw new PluginError("unavailable", "the answer did not end within the time of this call");
    poll([ready, deadline]);
  }
  return joined(chunks, length);
}

function joined(chunks, length) {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** What has arrived, or nothing at the end. */
function next(stream) {
  try {
    return stream.read(READ_CHUNK);
  } catch (error) {
    if (error.payload?.tag === "closed") return null;
    throw new PluginError("unavailable", "the connection broke before the answer's end");
  }
}

/** Runs what the host may find malformed. */
function accepted(what, set) {
  try {
    set();
  } catch {
    throw new PluginError("other", `the host does not take the ${what}`);
  }
}

/** Runs what ends with an `error-code` of `wasi:http` when it fails. */
function answered(act) {
  try {
    return act();
  } catch (error) {
    throw failure(error.payload);
  }
}

function unwrap(result) {
  if (result.tag === "err") throw failure(result.val);
  return result.val;
}

function timeLeft() {
  return Math.max(remaining() - MARGIN, 0);
}

function nanoseconds(milliseconds) {
  return Math.trunc(milliseconds) * 1_000_000;
}
