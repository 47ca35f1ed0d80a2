/**
 * Write DNS-01 providers for acme-manager in JavaScript. `app.js` of a new project shows one.
 *
 * A component is frozen after its modules have run, at build time, and thawed for each call of the host. So what
 * stands outside of functions runs without environment and network, and nothing that a call keeps in memory is there
 * in the next one.
 */

export * as dns from "./dns.js";
export * as env from "./env.js";
export { PluginError } from "./errors.js";
export { basic, bearer, Client, request, Response, segment } from "./http.js";
export * as log from "./log.js";
export { exportProvider } from "./provider.js";
export { randomBytes } from "./random.js";
export { remaining, sleep } from "./time.js";
