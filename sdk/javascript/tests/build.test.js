import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { check } from "../acme-manager-plugin/build/check.js";
import { explained } from "../acme-manager-plugin/build/explain.js";

const folder = mkdtempSync(path.join(tmpdir(), "acme-manager-plugin-"));
after(() => rmSync(folder, { recursive: true }));

const SDK = new URL("../acme-manager-plugin/index.js", import.meta.url);
const EXPORT = "export const provider = exportProvider(Example);";

let number = 0;

/** Checks a module with a provider that describes itself so and ends so. */
function checked(description, last = EXPORT, first = "") {
  // Modules are loaded once, so each has a folder of its own.
  const source = path.join(mkdtempSync(path.join(folder, `${number++}-`)), "app.js");
  const provider = `class Example {
    static describe() { return ${description}; }
    check() {}
    present() {}
    cleanup() {}
  }`;
  writeFileSync(source, `import { exportProvider } from "${SDK}";\n${first}\n${provider}\n${last}\n`);
  return check(source);
}

test("a provider that is one passes", async () => {
  await checked('{ name: "example", version: "1.0.0" }');
});

test("a provider that is not exported is missed before it is built", async () => {
  const message = "app.js must end with `export const provider = exportProvider(Class)`";
  for (const last of ["", EXPORT.replace("provider", "provder"), "export const provider = Example;"]) {
    await assert.rejects(checked('{ name: "example", version: "1.0.0" }', last), { message }, last);
  }
});

test("a description that is none is said in one sentence", async () => {
  const message = 'the field hosts must be a list, not "a.example"';
  await assert.rejects(checked('{ name: "example", version: "1.0.0", hosts: "a.example" }'), { message });
  await assert.rejects(checked("nothing"), { message: "ReferenceError: nothing is not defined in describe" });
});

test("what only the component can load is left to it", async () => {
  const first = 'import { exchange } from "acme-manager:dns/exchange";\nexport { exchange };';
  await checked("nothing", "", first);
});

test("what the tools say is said in words", () => {
  const missing = (name) =>
    `Error resolving module '${name}' from '/app.js': filesystem module not found`;
  const stack = "\n    at exportProvider (/acme-manager-plugin/provider.js:1:96)\n    at <anonymous> (/app.js:9:40)\n";
  for (const [said, expected] of [
    [missing("node:fs"), /^app\.js imports node:fs: parts of Node\.js do not exist in a component; /],
    [missing("fs"), /^app\.js imports fs: parts of Node\.js do not exist in a component; /],
    [missing("./other.js"), /^app\.js imports \.\/other\.js, and there is no such file$/],
    [missing("lodash"), /^app\.js imports lodash, which is not installed .*`npm install lodash`$/],
    ["unknown import: `wasi:cli/environment@9.2.12#get-environment`", /wasi:cli\/environment \(get-env/],
    [`x: JavaScript module: Error: the provider has no method a${stack}`, /^the provider has no .* a\n +at .*9:40\)$/],
    ["fetch is not defined\n    at <anonymous> (/app.js:1:1)", /^fetch is .* does not exist in a component\n +at /],
    ["reocrd is not defined", /^reocrd is not defined$/],
  ]) {
    assert.match(explained(said), expected);
  }
});
