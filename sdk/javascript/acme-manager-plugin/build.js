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
import { argv } from "node:process";

import { componentize } from "componentize-qjs";

import { unwrap } from "./build/unwrap.js";

const WIT = "wit";
const WORLD = "dns-provider";

/** The version of WASI that the contract has and the host offers. */
const VERSION = "0.2.12";
/** What stands in its place meanwhile. */
const PLACEHOLDER = "9.2.12";
/** That of the engine's C library, which is the contract's too, but cannot be imported twice under one name. */
const LIBRARY_VERSION = "0.2.10";

const [, , source, output] = argv;
if (!output) throw new Error("usage: node acme-manager-plugin/build.js SOURCE.js COMPONENT.wasm");
const component = await build(source);
await mkdir(path.dirname(output), { recursive: true });
// In one step, so that nobody meets half a component.
await writeFile(`${output}.partial`, component);
await rename(`${output}.partial`, output);

async function build(jsPath) {
  const jsSource = await readFile(jsPath, "utf8");
  const witPath = await mkdtemp(path.join(tmpdir(), "acme-manager-plugin-"));
  try {
    await copyContract(witPath);
    const { component } = await componentize({ witPath, world: WORLD, jsSource, jsPath, moduleRoot: ".", sync: true });
    return unwrap(renamed(renamed(component, VERSION, LIBRARY_VERSION), PLACEHOLDER, VERSION));
  } finally {
    await rm(witPath, { recursive: true });
  }
}

async function copyContract(folder) {
  for (const file of await readdir(WIT, { recursive: true })) {
    if (!file.endsWith(".wit")) continue;
    const text = await readFile(path.join(WIT, file), "utf8");
    const copy = path.join(folder, file);
    await mkdir(path.dirname(copy), { recursive: true });
    await writeFile(copy, text.replaceAll(VERSION, PLACEHOLDER));
  }
}

/** The component with other names of the same length. */
function renamed(component, from, to) {
  return Buffer.from(component.toString("latin1").replaceAll(`@${from}`, `@${to}`), "latin1");
}
