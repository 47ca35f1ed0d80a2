import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeUtf8, encodeUtf8 } from "../acme-manager-plugin/encoding.js";

const TEXTS = ["", "plain", "zürich 東京 😀 \u0000 \u007f\u0080\uffff", "é€😀".repeat(5000)];

test("texts become the bytes that Node.js makes of them, and come back", () => {
  for (const text of TEXTS) {
    const bytes = encodeUtf8(text);
    assert.deepEqual(bytes, new TextEncoder().encode(text));
    assert.equal(decodeUtf8(bytes), text);
  }
});

test("what is no UTF-8 and no text does not hide the rest", () => {
  assert.equal(decodeUtf8(Uint8Array.of(0x61, 0xff, 0x62, 0xc3, 0xa4, 0x63, 0xc3)), "a\ufffdbäc\ufffd");
  assert.deepEqual(encodeUtf8("a\ud800b"), new TextEncoder().encode("a\ufffdb"));
});
