/**
 * The time of a call. The clock of the day is `new Date()`.
 */

import * as host from "#host";

/**
 * Milliseconds that are left until the host ends this call.
 *
 * @returns {number}
 */
export function remaining() {
  return host.remaining();
}

/**
 * Pauses, at most for the time that is left.
 *
 * @param {number} milliseconds
 */
export function sleep(milliseconds) {
  host.sleep(Math.min(milliseconds, host.remaining()));
}
