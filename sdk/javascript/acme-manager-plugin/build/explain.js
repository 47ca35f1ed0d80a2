/**
 * What componentize-qjs and its engine say, in words.
 */

import { isBuiltin } from "node:module";

/** What people are used to from browsers and Node.js, and the engine has not. */
const FOREIGN = new Set([
  "Buffer", "crypto", "fetch", "FormData", "global", "Headers", "Intl", "module", "process", "Request", "require",
  "setInterval", "setTimeout", "structuredClone", "TextDecoder", "TextEncoder", "URL", "URLSearchParams", "window",
]);

/**
 * @param {string} message
 * @returns {string}
 */
export function explained(message) {
  return ofImport(message) ?? ofCall(message) ?? ofName(plain(message));
}

/** A module that is not there. */
function ofImport(message) {
  const found = /Error resolving module '([^']+)' from '\/?([^']+)'/.exec(message);
  if (!found) return undefined;
  const [, name, from] = found;
  if (isBuiltin(name)) {
    return `${from} imports ${name}: parts of Node.js do not exist in a component; use the modules of the SDK and what \
the language itself has`;
  }
  if (/^[./]/.test(name)) return `${from} imports ${name}, and there is no such file`;
  return `${from} imports ${name}, which is not installed or no ES module: \`npm install ${name}\``;
}

/** A call of the host while there is none. */
function ofCall(message) {
  const called = /unknown import: `([^@`]+)@[^#`]*#([^`]+)`/.exec(message);
  if (!called) return undefined;
  return `outside of functions the modules run while the component is built, when there is no host: ${called[1]} \
(${called[2]}) is to be called in the provider's methods`;
}

/** A global that the engine has not; where it was used stays. */
function ofName(message) {
  const [, name, where] = /^'?(\w+)'? is not defined(.*)$/s.exec(message) ?? [];
  if (!FOREIGN.has(name)) return message;
  return `${name} is not defined: what belongs to browsers and Node.js does not exist in a component${where}`;
}

/** The message without the tool's own steps, and without the places in the SDK, which are not the author's. */
function plain(message) {
  const said = message.replace(/^.*(JavaScript module|module evaluation): Error: /s, "");
  return said.replace(/^ +at .*\(\/acme-manager-plugin\/.*\n?/gm, "").trim();
}
