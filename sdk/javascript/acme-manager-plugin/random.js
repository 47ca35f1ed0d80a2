/**
 * Randomness. `Math.random` is none in a component: its state was frozen at build time, so that every call sees the
 * same numbers.
 */

import * as host from "#host";

/**
 * Bytes that nobody can guess.
 *
 * @param {number} length
 * @returns {Uint8Array}
 */
export function randomBytes(length) {
  return host.randomBytes(length);
}
