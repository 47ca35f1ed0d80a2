/**
 * What the cases of `error-code` of `wasi:http` mean to a provider.
 */

import { PluginError } from "../errors.js";

const CLOSED = ["unavailable", "the server closed the connection"];
const LARGE = ["other", "the answer is larger than the host allows"];
const LATE = ["unavailable", "the server did not answer in time"];
const NO_TLS = ["unavailable", "no TLS connection to the server"];
const UNREACHABLE = ["unavailable", "the server cannot be reached"];
const UNRESOLVED = ["unavailable", "the server's name does not resolve"];

const MEANINGS = {
  "HTTP-request-denied": [
    "config",
    "the host does not let this plugin talk to that server: grant it with allowed_hosts",
  ],
  "destination-IP-prohibited": [
    "config",
    "the server has an address that this plugin may not use: grant it with allowed_cidrs",
  ],
  "configuration-error": ["config", "the host's HTTP configuration does not allow this request"],
  "DNS-timeout": UNRESOLVED,
  "DNS-error": UNRESOLVED,
  "destination-not-found": UNRESOLVED,
  "destination-unavailable": UNREACHABLE,
  "destination-IP-unroutable": UNREACHABLE,
  "connection-refused": ["unavailable", "the server refused the connection"],
  "connection-terminated": CLOSED,
  "HTTP-response-incomplete": CLOSED,
  "connection-timeout": LATE,
  "connection-read-timeout": LATE,
  "connection-write-timeout": LATE,
  "HTTP-response-timeout": LATE,
  "connection-limit-reached": ["unavailable", "too many requests of this plugin are under way"],
  "TLS-certificate-error": ["unavailable", "the server's certificate is not trusted"],
  "TLS-protocol-error": NO_TLS,
  "TLS-alert-received": NO_TLS,
  "HTTP-protocol-error": ["unavailable", "the server does not speak HTTP as it should"],
  "HTTP-response-body-size": LARGE,
  "HTTP-response-header-section-size": LARGE,
};

/**
 * @param {{ tag: string, val?: any }} code
 * @returns {PluginError}
 */
export function failure({ tag, val }) {
  if (tag === "internal-error") return new PluginError("unavailable", `the request failed${val ? `: ${val}` : ""}`);
  const [kind, message] = MEANINGS[tag] ?? ["other", `the host could not carry out the request: ${tag}`];
  return new PluginError(kind, message);
}
