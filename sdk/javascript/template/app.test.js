import { readFileSync } from "node:fs";
import { test } from "node:test";

import { conformance } from "acme-manager-plugin/testing";

import { provider } from "./app.js";

const script = JSON.parse(readFileSync(new URL("conformance.json", import.meta.url), "utf8"));

for (const { name, run } of conformance(provider, script)) test(name, run);
