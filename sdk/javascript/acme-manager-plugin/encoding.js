/**
 * UTF-8. What browsers and Node.js have for it (`TextEncoder`, `TextDecoder`) the engine in a component lacks.
 *
 * `escape` and `unescape` turn bytes into `%XX` and back; old as they are, they do in machine code what a loop would
 * do at ten times the price.
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
  const characters = unescape(encodeURIComponent(text.toWellFormed()));
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at);
  return bytes;
}

/**
 * Bytes as text; where they are no UTF-8, U+FFFD stands.
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function decodeUtf8(bytes) {
  let characters = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    characters += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
  }
  try {
    return decodeURIComponent(escape(characters));
  } catch {
    return characters.replace(/[\x80-\xff]+/g, decodeRun);
  }
}

function decodeRun(characters) {
  try {
    return decodeURIComponent(escape(characters));
  } catch {
    return "\ufffd";
  }
}
