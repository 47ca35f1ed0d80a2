/**
 * HTTP to the vendor's API. All of it is synchronous: a call returns when the answer is there.
 *
 * The host sends a request only to hosts that the operator granted, follows no redirects, and checks certificates
 * itself. Requests end with the call's own deadline at the latest.
 */

import { exchange } from "#host";

import { decodeUtf8, encodeUtf8 } from "./encoding.js";
import { PluginError } from "./errors.js";

/** The most that is read of an answer's body by default. A page of a hundred DNS records takes less than 100 KiB. */
const MAX_BODY = 4 * 1024 * 1024;

/** How much of a body an error repeats, in characters. */
const EXCERPT = 500;

/** RFC 9110 §5.5, without the obsolete bytes beyond ASCII. */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

const VISIBLE_ASCII = /^[\x21-\x7e]*$/;

/**
 * Names and values, for a query or a form; as a list where a name comes several times. What is `undefined` is left out.
 *
 * @typedef {Record<string, string | number | boolean | undefined> | [string, string | number | boolean | undefined][]}
 *   Pairs
 */

/**
 * @typedef {object} RequestOptions
 * @property {Pairs} [query]
 * @property {Record<string, string>} [headers]
 * @property {unknown} [json] A body that is sent as JSON.
 * @property {Pairs} [form] A body that is sent as a form.
 * @property {string | Uint8Array} [body] Any other body; name its `content-type` among the headers.
 * @property {number[]} [accept] Statuses beside 2xx that are no errors, for example 404 when something is removed.
 * @property {number} [maxBody] The most that is read of the answer's body, in bytes.
 */

/**
 * A request as the host gets it.
 *
 * @typedef {object} Outgoing
 * @property {string} method
 * @property {string} scheme `https` or `http`
 * @property {string} authority
 * @property {string} pathWithQuery
 * @property {[string, string][]} headers Names in lower case, and values.
 * @property {Uint8Array} body
 * @property {number} maxBody
 */

/**
 * An answer as the host has it.
 *
 * @typedef {{ status: number, headers: [string, string][], body: Uint8Array }} Incoming
 */

/**
 * One API: a base URL, and what every request carries.
 *
 *     const api = new Client("https://api.example.com/v1", { headers: { authorization: bearer(token) } });
 *     const { zones } = api.get("zones", { query: { name: "example.com" } }).json();
 */
export class Client {
  /**
   * @param {string} baseUrl With `http` or `https`, without query, fragment and credentials; anything else is an
   *   error of the kind `config`.
   * @param {Pick<RequestOptions, "headers" | "maxBody">} [options]
   */
  constructor(baseUrl, options = {}) {
    const { scheme, authority, path, query } = parse(baseUrl.trim());
    if (query) throw notAnAddress("it must have no query and no fragment");
    this.base = `${scheme}://${authority}${path.replace(/\/+$/, "")}`;
    this.options = options;
  }

  /**
   * Sends a request for a path below the base URL. Parts of it that come from elsewhere go through `segment`.
   *
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} [options]
   * @returns {Response} An answer with a status of 2xx or an accepted one; see `request`.
   */
  request(method, path, options = {}) {
    const below = path.replace(/^\/+/, "");
    const headers = { ...lowerCased(this.options.headers), ...lowerCased(options.headers) };
    return request(method, below ? `${this.base}/${below}` : this.base, { ...this.options, ...options, headers });
  }

  /** @param {string} path @param {RequestOptions} [options] @returns {Response} */
  get(path, options) {
    return this.request("GET", path, options);
  }

  /** @param {string} path @param {RequestOptions} [options] @returns {Response} */
  post(path, options) {
    return this.request("POST", path, options);
  }

  /** @param {string} path @param {RequestOptions} [options] @returns {Response} */
  put(path, options) {
    return this.request("PUT", path, options);
  }

  /** @param {string} path @param {RequestOptions} [options] @returns {Response} */
  patch(path, options) {
    return this.request("PATCH", path, options);
  }

  /** @param {string} path @param {RequestOptions} [options] @returns {Response} */
  delete(path, options) {
    return this.request("DELETE", path, options);
  }
}

/**
 * Sends a request. Statuses other than 2xx and the accepted ones are thrown as an error of the fitting kind, with
 * `Retry-After` and the start of the body; so is a request without an answer (`unavailable`; `config` where the
 * operator did not grant the host).
 *
 * @param {string} method
 * @param {string} url
 * @param {RequestOptions} [options]
 * @returns {Response}
 */
export function request(method, url, { query, headers = {}, accept = [], maxBody = MAX_BODY, ...content } = {}) {
  const target = parse(url);
  const queries = [target.query, query && encodePairs(query)].filter(Boolean);
  const pathWithQuery = [target.path || "/", queries.join("&")].filter(Boolean).join("?");
  if (!VISIBLE_ASCII.test(pathWithQuery)) {
    throw new PluginError("other", `the path ${JSON.stringify(target.path)} must be percent-encoded`);
  }
  const { type, body } = encodeBody(content);
  const all = {
    accept: "application/json",
    "user-agent": "acme-manager-plugin-javascript",
    ...(type && { "content-type": type }),
    ...lowerCased(headers),
  };
  if (body.length || ["POST", "PUT", "PATCH"].includes(method)) all["content-length"] = String(body.length);
  for (const [name, value] of Object.entries(all)) {
    // A line break at the end of a pasted token is the common cause; the value itself may be a secret.
    if (!HEADER_VALUE.test(value)) throw new PluginError("config", `the header ${name} would hold control characters`);
  }
  const { scheme, authority } = target;
  // Without the query: some vendors want their secrets there.
  const what = `${method} ${authority}${target.path || "/"}`;
  const outgoing = { method, scheme, authority, pathWithQuery, headers: Object.entries(all), body, maxBody };
  const response = new Response(what, send(outgoing, what));
  if (!response.ok && !accept.includes(response.status)) throw response.toError();
  return response;
}

/** An answer that was read to its end. */
export class Response {
  /**
   * @param {string} what The request, as `GET host/path`.
   * @param {Incoming} answer
   */
  constructor(what, { status, headers, body }) {
    this.what = what;
    this.status = status;
    this.headers = headers;
    /** The body's bytes. */
    this.body = body;
  }

  /** Whether the status is 2xx. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /**
   * The first header of that name, whatever its case.
   *
   * @param {string} name
   * @returns {string | undefined}
   */
  header(name) {
    return this.headers.find(([present]) => present.toLowerCase() === name.toLowerCase())?.[1];
  }

  /**
   * The body as text; broken UTF-8 becomes U+FFFD.
   *
   * @returns {string}
   */
  text() {
    return decodeUtf8(this.body);
  }

  /**
   * The body read as JSON. Where it is something else (as a rule the error page of a proxy) or does not fit, that is an
   * error of the kind `unavailable`.
   *
   * @param {(value: any) => unknown} [fits] Whether the value has what is used of it; may throw instead.
   * @returns {any}
   */
  json(fits = () => true) {
    try {
      const value = JSON.parse(this.text());
      if (fits(value)) return value;
    } catch {
      // The same as a value that does not fit.
    }
    throw new PluginError("unavailable", `${this.what} answered ${this.status} with unexpected JSON`);
  }

  /**
   * The delay that `Retry-After` asks for, in seconds (RFC 9110 §10.2.3). The form with a date is not read: the host
   * backs off by itself.
   *
   * @returns {number | undefined}
   */
  get retryAfter() {
    const value = this.header("retry-after")?.trim() ?? "";
    return /^\d+$/.test(value) ? Number(value) : undefined;
  }

  /**
   * The answer as an error, by its status.
   *
   * @param {string} [detail] What the vendor's own error format says, instead of the body's start.
   * @returns {PluginError}
   */
  toError(detail = excerpt(this.body)) {
    const message = `${this.what} answered ${this.status}${detail && ": "}${detail}`;
    return PluginError.fromStatus(this.status, message, this.retryAfter);
  }
}

/**
 * The value of `Authorization` for a token. RFC 6750 §2.1
 *
 * @param {string} token
 * @returns {string}
 */
export function bearer(token) {
  return `Bearer ${token}`;
}

/**
 * The value of `Authorization` for a name and a password. RFC 7617
 *
 * @param {string} user
 * @param {string} password
 * @returns {string}
 */
export function basic(user, password) {
  return `Basic ${btoa(String.fromCharCode(...encodeUtf8(`${user}:${password}`)))}`;
}

/**
 * A text as one segment of a path or one value of a query: all but the unreserved characters are percent-encoded.
 * RFC 3986 §2.3
 *
 * @param {string | number | boolean} text
 * @returns {string}
 */
export function segment(text) {
  const encoded = encodeURIComponent(String(text).toWellFormed());
  return encoded.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** @param {Outgoing} outgoing @param {string} what @returns {Incoming} */
function send(outgoing, what) {
  try {
    return exchange(outgoing);
  } catch (error) {
    if (error instanceof PluginError) error.message = `${what}: ${error.message}`;
    throw error;
  }
}

/** @param {Pairs} pairs */
function encodePairs(pairs) {
  const all = Array.isArray(pairs) ? pairs : Object.entries(pairs);
  const present = all.filter(([, value]) => value !== undefined);
  return present.map(([name, value]) => `${segment(name)}=${segment(value)}`).join("&");
}

/** @param {Pick<RequestOptions, "json" | "form" | "body">} content */
function encodeBody({ json, form, body = "" }) {
  if (json !== undefined) return { type: "application/json", body: encodeUtf8(JSON.stringify(json)) };
  if (form) return { type: "application/x-www-form-urlencoded", body: encodeUtf8(encodePairs(form)) };
  return { body: typeof body === "string" ? encodeUtf8(body) : body };
}

function lowerCased(headers = {}) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function parse(url) {
  const [, scheme, authority, path, query] = /^(https?):\/\/([^/?#]*)([^?#]*)\??(.*)$/i.exec(url) ?? [];
  if (!scheme) throw notAnAddress("it must start with https:// or http://");
  if (!authority || /[@\\]/.test(authority) || !VISIBLE_ASCII.test(authority)) {
    throw notAnAddress("the host is missing or not plain ASCII, or there are credentials before it");
  }
  if (!VISIBLE_ASCII.test(path)) throw notAnAddress("the path must be percent-encoded");
  return { scheme: scheme.toLowerCase(), authority, path, query };
}

function notAnAddress(why) {
  return new PluginError("config", `the API's address is no URL that can be used: ${why}`);
}

function excerpt(body) {
  // A character has at most four bytes, so nothing beyond this can be shown.
  const text = decodeUtf8(body.subarray(0, EXCERPT * 4)).trim();
  return text.slice(0, EXCERPT).replace(/\p{Cc}/gu, " ");
}
