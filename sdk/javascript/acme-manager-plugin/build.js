/**
 * Makes the component: `node acme-manager-plugin/build.js app.js target/plugin/example.wasm`, in the project's folder.
 *
 * componentize-qjs puts the modules and an engine (QuickJS) together, runs the modules once and freezes the result. Two
 * things of it do not fit and are mended here:
 *
 * - It runs the modules with a `wasi:io` of its own but without a `wasi:http`, and then misses the streams of the one
 *   in the other. So it gets the contract with a version of WASI of which it has nothing at all; afterwards the true
 *   version is put in the place of that one.
 * - It wraps the component in another one; `build/unwrap.js` takes it out.
 */

import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";

import { componentize } from "componentize-qjs";

import { check } from "./build/check.js";
import { explained } from "./build/explain.js";
import { unwrap } from "./build/unwrap.js";

const WIT = "wit";
const WORLD = "dns-provider";
const EXCHANGE = "acme-manager:dns/exchange";

/** The version of WASI for the engine's C library, where its own is that of the contract: names are imported once. */
const LIBRARY_VERSION = "0.2.10";

try {
  await main(...process.argv.slice(2));
} catch (error) {
  console.error(explained(error.message));
  process.exitCode = 1;
}
// Timers of the provider's modules, which the component has not, would keep Node.js here.
process.exit();

async function main(source, output) {
  if (!output) throw new Error("usage: node acme-manager-plugin/build.js SOURCE.js COMPONENT.wasm");
  const component = await build(source);
  // Now that its modules are known to do nothing to the world when they are loaded.
  await check(source);
  await mkdir(path.dirname(output), { recursive: true });
  // In one step, so that nobody meets half a component.
  await writeFile(`${output}.partial`, component);
  await rename(`${output}.partial`, output);
}

async function build(jsPath) {
  const jsSource = await readFile(jsPath, "utf8");
  const witPath = await mkdtemp(path.join(tmpdir(), "acme-manager-plugin-"));
  try {
    const version = await versionOfWasi();
    const placeholder = version.replace(/^0/, "9");
    // The component imports all that the contract has, and who imports `exchange` is taken for one that needs it.
    const dropped = jsSource.includes(EXCHANGE) ? "" : "    import exchange;\n";
    await copyContract(witPath, (text) => text.replaceAll(version, placeholder).replace(dropped, ""));
    const { component } = await componentize({ witPath, world: WORLD, jsSource, jsPath, moduleRoot: ".", sync: true });
    return unwrap(renamed(renamed(component, version, LIBRARY_VERSION), placeholder, version));
  } finally {
    await rm(witPath, { recursive: true });
  }
}

async function versionOfWasi() {
  const contract = await readFile(path.join(WIT, `${WORLD}.wit`), "utf8");
  return /wasi:http\/outgoing-handler@(.+);/.exec(contract)[1];
}

/** Copies the contract with changes to its text. */
async function copyContract(folder, change) {
  for (const file of await readdir(WIT, { recursive: true })) {
    if (!file.endsWith(".wit")) continue;
    const text = await readFile(path.join(WIT, file), "utf8");
    const copy = path.join(folder, file);
    await mkdir(path.dirname(copy), { recursive: true });
    await writeFile(copy, change(text));
  }
}

/** The component with another version, one of the same length, in the names of its imports. */
function renamed(component, from, to) {
  return Buffer.from(component.toString("latin1").replaceAll(`@${from}`, `@${to}`), "latin1");
}
