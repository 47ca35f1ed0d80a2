/**
 * Asks a provider for its description in Node.js: the component would only fail when it is asked, and in the engine's
 * words.
 */

import path from "node:path";
import { pathToFileURL } from "node:url";

const CALLS = ["describe", "check", "present", "cleanup", "ready"];

/**
 * @param {string} source The file that exports the provider.
 * @throws {Error} With a sentence that says what is wrong.
 */
export async function check(source) {
  let app;
  try {
    app = await import(pathToFileURL(path.resolve(source)));
  } catch {
    // The engine has loaded it, so it is one that only the component can run, such as one that imports from the
    // contract.
    return;
  }
  if (!CALLS.every((name) => typeof app.provider?.[name] === "function")) {
    throw new Error(`${path.basename(source)} must end with \`export const provider = exportProvider(Class)\``);
  }
  try {
    app.provider.describe();
  } catch (error) {
    throw new Error(error.lastWords ?? error.message);
  }
}
