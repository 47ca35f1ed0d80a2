/**
 * Why a call failed.
 */

/**
 * The class of a failure. The host decides by it alone whether to try again (`rate-limited`, `conflict`, `unavailable`)
 * and whom to blame; `wit/dns-provider.wit` says which is for what.
 *
 * @typedef {"config" | "unauthorized" | "zone-not-found" | "rate-limited" | "conflict" | "unavailable" | "rejected"
 *   | "other"} ErrorKind
 */

const KINDS = [
  "config", "unauthorized", "zone-not-found", "rate-limited", "conflict", "unavailable", "rejected", "other",
];

/** The host waits no longer, whatever a vendor asks for; in seconds. */
const MAX_RETRY_AFTER = 3600;

/**
 * A failed call, as the contract knows it. Throw one for everything that can go wrong; any other exception counts as a
 * defect of the plugin.
 */
export class PluginError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message One sentence for the operator: what was tried and what came back. No secrets.
   * @param {number} [retryAfter] Seconds to wait before another try, where the vendor named them.
   */
  constructor(kind, message, retryAfter) {
    if (!KINDS.includes(kind)) {
      throw new TypeError(`an error has one of the kinds ${KINDS.join(", ")}, not ${kind}`);
    }
    super(message);
    this.name = "PluginError";
    this.kind = kind;
    this.retryAfter = retryAfter;
  }

  /**
   * The account has no zone that holds `name`.
   *
   * @param {string} name
   */
  static zoneNotFound(name) {
    return new PluginError("zone-not-found", `the account has no zone that holds ${name}`);
  }

  /**
   * An error of the kind that fits an HTTP status.
   *
   * @param {number} status
   * @param {string} message
   * @param {number} [retryAfter]
   */
  static fromStatus(status, message, retryAfter) {
    return new PluginError(kindOf(status), message, retryAfter);
  }

  /** The error record of the contract. */
  toRecord() {
    const { kind, message, retryAfter } = this;
    const seconds = Number.isFinite(retryAfter) ? Math.trunc(Math.min(Math.max(retryAfter, 0), MAX_RETRY_AFTER)) : null;
    return { kind, message: message.toWellFormed(), retryAfter: seconds };
  }
}

/** @returns {ErrorKind} */
function kindOf(status) {
  switch (status) {
    case 401:
    case 403:
      return "unauthorized";
    case 409:
    case 412:
      return "conflict";
    case 429:
      return "rate-limited";
    case 408:
      return "unavailable";
  }
  if (status >= 500 && status < 600) return "unavailable";
  if (status >= 400 && status < 500) return "rejected";
  return "other";
}
