/**
 * The host in Node.js, for tests: `testing.js` says what the environment is and who answers requests. In a component
 * `wasi.js` stands in its place; `package.json` has the switch.
 */

/** The time that a call has, in milliseconds. */
const CALL_TIME = 30_000;

/** @import { Incoming, Outgoing } from "../http.js" */

/**
 * @typedef {object} Simulation
 * @property {Record<string, string>} [environment]
 * @property {(outgoing: Outgoing) => Incoming} [exchange]
 */

/** @type {Simulation} */
const nothing = {
  environment: {},
  exchange: ({ method, scheme, authority, pathWithQuery }) => {
    throw new Error(`nobody answers ${method} ${scheme}://${authority}${pathWithQuery}`);
  },
};

let current = nothing;
let left = CALL_TIME;
let lines = [];

/**
 * Runs a function under this host and returns what it logged.
 *
 * @param {Simulation} host
 * @param {() => void} run
 * @returns {{ level: string, message: string }[]}
 */
export function under(host, run) {
  [current, left, lines] = [{ ...nothing, ...host }, CALL_TIME, []];
  try {
    run();
    return lines;
  } finally {
    current = nothing;
  }
}

export function environment() {
  return Object.entries(current.environment);
}

export function exchange(outgoing) {
  return current.exchange(outgoing);
}

export function log(level, message) {
  lines.push({ level, message });
}

/** Where a component ends with these words, Node.js has the error itself. */
export function crash(error, words) {
  throw Object.assign(error, { lastWords: words });
}

export function remaining() {
  return left;
}

/** Lets time pass without waiting. */
export function sleep(milliseconds) {
  left -= milliseconds;
}

export function randomBytes(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}
