/**
 * The host's log. It cuts a line at 8 KiB and replaces secret environment values.
 */

import { log } from "#host";

/** @param {string} message For those who look for a fault. */
export function debug(message) {
  log("debug", String(message).toWellFormed());
}

/** @param {string} message About normal work. */
export function info(message) {
  log("info", String(message).toWellFormed());
}

/** @param {string} message About something odd that did not stop the work. */
export function warn(message) {
  log("warn", String(message).toWellFormed());
}

/** @param {string} message About a failure. */
export function error(message) {
  log("error", String(message).toWellFormed());
}
