/**
 * UTF-8. The language's own functions for it (`TextEncoder`, `TextDecoder`) are part of browsers and Node.js, not of
 * the engine in a component.
 */

/** So many arguments a function surely takes. */
const CHUNK = 4096;

/**
 * A text as bytes; half of a surrogate pair becomes U+FFFD.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function encodeUtf8(text) {
  const hex = encodeURIComponent(text.toWellFormed());
  const bytes = hex.replace(/%(..)/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

/**
 * Bytes as text; where they are no UTF-8, U+FFFD stands.
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function decodeUtf8(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  }
  return text.replace(/[\x80-\xff]+/g, decodeRun);
}

/** The characters of bytes that are not ASCII. */
function decodeRun(bytes) {
  const hex = bytes.replace(/[^]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    return decodeURIComponent(hex);
  } catch {
    return "\ufffd";
  }
}
