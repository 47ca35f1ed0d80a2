/**
 * The provider's environment: what the operator configured, under the names that `describe` gives. To be read inside of
 * functions: while a component is built there is none.
 *
 * Blanks around a value are dropped, and an empty value counts as not set.
 */

import { environment } from "#host";

import { PluginError } from "./errors.js";

/**
 * The value of a variable that must be set; otherwise an error of the kind `config`.
 *
 * @param {string} name
 * @returns {string}
 */
export function required(name) {
  const value = optional(name);
  if (value === undefined) throw new PluginError("config", `${name} is not set`);
  return value;
}

/**
 * The value of a variable, or what to use without it.
 *
 * @param {string} name
 * @param {string} [fallback]
 * @returns {string | undefined}
 */
export function optional(name, fallback) {
  const found = environment().find(([key]) => key === name);
  return found?.[1].trim() || fallback;
}

/**
 * What `parse` makes of the value of a variable, or what to use where it is not set. Where `parse` throws, that is an
 * error of the kind `config`. It does not repeat the value, which may be a secret: of what was thrown only the
 * message of a `PluginError` is passed on.
 *
 * @template T
 * @param {string} name
 * @param {(value: string) => T} parse For example `integer`.
 * @param {T} fallback
 * @returns {T}
 */
export function parsedOr(name, parse, fallback) {
  const value = optional(name);
  if (value === undefined) return fallback;
  try {
    return parse(value);
  } catch (error) {
    const reason = error instanceof PluginError ? `: ${error.message}` : "";
    throw new PluginError("config", `${name} is not valid${reason}`);
  }
}

/**
 * A whole number that is not negative, for `parsedOr`.
 *
 * @param {string} value
 * @returns {number}
 */
export function integer(value) {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number >= 2 ** 31) throw new PluginError("config", "it must be a whole number");
  return number;
}

/**
 * The time to live of records in seconds: `<prefix>TTL`, or the default. `describe` declares it with `times`.
 *
 * @param {string} prefix
 * @param {number} fallback
 * @returns {number}
 */
export function ttl(prefix, fallback) {
  return parsedOr(`${prefix}TTL`, integer, fallback);
}
