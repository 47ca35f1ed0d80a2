import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SDK = fileURLToPath(new URL("../acme-manager-plugin", import.meta.url));
const TEMPLATE = fileURLToPath(new URL("../template", import.meta.url));

/** The name in all spellings that the template wants, as `plugin new` has them. */
function filled(text, name) {
  const module = name.replaceAll("-", "_");
  const ofType = name.split("-").map((word) => word[0].toUpperCase() + word.slice(1)).join("");
  const spellings = { name, NAME: module.toUpperCase(), module, Type: ofType };
  return text.replaceAll(/{{(\w+)}}/g, (all, spelling) => spellings[spelling] ?? all);
}

// Most of these name something in the template or in the language.
for (const name of ["my-dns", "client", "plugin-error", "provider", "object", "error"]) {
  test(`a new project called ${name} passes its own tests`, () => {
    const folder = mkdtempSync(path.join(tmpdir(), "acme-manager-plugin-"));
    try {
      cpSync(TEMPLATE, folder, { recursive: true });
      for (const file of readdirSync(folder)) {
        const place = path.join(folder, file);
        writeFileSync(place, filled(readFileSync(place, "utf8"), name));
      }
      mkdirSync(path.join(folder, "node_modules"));
      symlinkSync(SDK, path.join(folder, "node_modules/acme-manager-plugin"));
      // The runner of this very test is not the one of the project.
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const ran = spawnSync(process.execPath, ["--test"], { cwd: folder, env, encoding: "utf8" });
      assert.equal(ran.status, 0, ran.stdout + ran.stderr);
      assert.match(ran.stdout, /pass 9/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
