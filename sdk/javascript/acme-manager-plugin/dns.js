/**
 * Names and TTLs as vendors want them.
 */

/** @import { TxtRecord } from "./provider.js" */

/**
 * A name relative to its zone, as many vendors want it: `_acme-challenge.www` for `_acme-challenge.www.example.com` in
 * `example.com`, `@` where both are the same.
 *
 * @param {string} name
 * @param {string} zone
 * @returns {string}
 */
export function relativeTo(name, zone) {
  if (name === zone) return "@";
  return zone && name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name;
}

/**
 * The name with a final dot, as in zone files.
 *
 * @param {string} name
 * @returns {string}
 */
export function absolute(name) {
  return `${name.replace(/\.+$/, "")}.`;
}

/**
 * The zones to ask the vendor for, longest first: the one that the host found, or each parent of the name.
 *
 * @param {TxtRecord} record
 * @returns {string[]}
 */
export function zoneCandidates(record) {
  if (record.zone) return [record.zone];
  const labels = record.name.split(".");
  return labels.slice(1).map((_, index) => labels.slice(index + 1).join("."));
}

/**
 * The time to live that the host asks for, or the provider's default; in seconds.
 *
 * @param {TxtRecord} record
 * @param {number} fallback
 * @returns {number}
 */
export function ttlOr(record, fallback) {
  return record.ttl || fallback;
}

/**
 * A TXT value in quotes, `"` and `\` escaped, for vendors that store the text of zone files. RFC 1035 §5.1
 *
 * @param {string} value
 * @returns {string}
 */
export function quoted(value) {
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}
