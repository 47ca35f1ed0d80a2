import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { missing, wrongStatuses } from "../acme-manager-plugin/required.js";

const present = (value, more) => ({ call: "present", record: { name: "n.a.example", value }, ...more });
const cleanup = (value, handle) => ({ call: "cleanup", record: { name: "n.a.example", value }, with_handle: handle });
const asked = (sent, answered) => ({
  exchanges: [{ request: { url: "https://a.example/", json: sent }, response: { status: 200, json: answered } }],
});
const refused = { error: { kind: "conflict" } };

test("a required scenario shows what its name says", () => {
  for (const [name, steps, isShown] of [
    ["happy path", [present("v"), cleanup("v")], true],
    ["happy path", [cleanup("v"), present("v")], false],
    ["happy path", [present("v"), cleanup("w")], false],
    ["happy path", [present("v", refused), cleanup("v")], false],
    ["two values", [present("v"), present("w")], true],
    ["two values", [present("v"), present("v")], false],
    ["repeat", [present("v"), present("v")], true],
    ["repeat", [present("v"), present("w")], false],
    ["repeat", [present("v-1", asked([], ['"v-1"']))], true],
    ["repeat", [present("v-1", asked(["v-1"], ["v-1"]))], false],
    ["cleanup by value", [cleanup("v", "")], true],
    ["cleanup by value", [cleanup("v")], true],
    ["cleanup by value", [present("v"), cleanup("v")], false],
    ["cleanup by value", [cleanup("v", "7")], false],
    ...["happy path", "two values", "repeat", "cleanup by value"].map((name) => [name, [], false]),
  ]) {
    const lack = missing([{ name, steps }], true).some((one) => one.startsWith(`${name} (it needs `));
    assert.equal(lack, !isShown, `${name}: ${JSON.stringify(steps)}`);
  }
});

test("what is not there is missed, two values only where there can be two", () => {
  assert.equal(missing([], true).length, 4);
  assert.deepEqual(missing([], false).filter((lack) => lack.startsWith("two values")), []);
});

test("statuses that no server sends are found", () => {
  const exchanges = [{ request: {}, response: { status: 99 } }];
  const refusals = [{ name: "own", response: { status: 600 } }];
  assert.deepEqual(wrongStatuses({ scenarios: [{ name: "a", steps: [{ call: "check", exchanges }] }], refusals }), [
    'scenario "a", step 1: a status is a number from 200 to 599, not 99',
    'refusal "own": a status is a number from 200 to 599, not 600',
  ]);
});

test("the template's script shows what it must", () => {
  const script = JSON.parse(readFileSync(new URL("../template/conformance.json", import.meta.url), "utf8"));
  assert.deepEqual(missing(script.scenarios, true), []);
  assert.deepEqual(wrongStatuses(script), []);
});
