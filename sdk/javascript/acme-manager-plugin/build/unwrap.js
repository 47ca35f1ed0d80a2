/**
 * Takes the component of the provider out of the one that componentize-qjs wraps around it.
 *
 * The outer one satisfies a single import of the inner one, `local:init/module-loader`, by which the engine loads
 * modules while the component is built. Texts cross from one component to the other there, which needs several
 * memories in one module (WebAssembly's multi-memory), and the host has that switched off. Nothing is loaded any more
 * when the component runs, so the import can go.
 *
 * To remove it would renumber whatever is declared after it. So each declaration that has to do with it is replaced
 * by one of the same sort:
 *
 * - the import by an instance that has no members,
 * - `resolve` and `load`, the functions that were taken out of it, by some other function,
 * - their lowered forms, which fill two places in the engine's table of imports, by the engine's own trampolines to
 *   these places: who calls them all the same calls until the stack is used up, and traps.
 *
 * The binary format: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
 */

const PREAMBLE_BYTES = 8;

/** Kinds of sections. */
const CORE_INSTANCE = 2;
const COMPONENT = 4;
const INSTANCE = 5;
const ALIAS = 6;
const CANON = 8;
const IMPORT = 10;

const LOADER = named("local:init/module-loader");
const FUNCTIONS = [named("resolve"), named("load")];

/** How sections with a single entry begin. */
const ONE_IMPORT = [1, 0];
const ONE_FUNCTION_OF_AN_INSTANCE = [1, 1, 0];
const ONE_LOWERED_FUNCTION = [1, 1, 0];
const ONE_INSTANCE_OF_TWO_FUNCTIONS = [1, 1, 2];

/**
 * @param {Buffer} component What componentize-qjs has made.
 * @returns {Buffer}
 */
export function unwrap(component) {
  const isInner = ({ id, content }) => id === COMPONENT && content.includes(Buffer.from(LOADER));
  const inner = sectionsOf(component).find(isInner);
  const sections = sectionsOf(inner?.content ?? fail());

  const loader = find(sections, IMPORT, [...ONE_IMPORT, ...LOADER]);
  const given = find(sections, CORE_INSTANCE, [...ONE_INSTANCE_OF_TWO_FUNCTIONS, ...FUNCTIONS[0]]);
  const trampolines = twoAliases(sections[sections.indexOf(given) - 1].content);
  const someFunction = find(sections, ALIAS, ONE_FUNCTION_OF_AN_INSTANCE).content;

  Object.assign(loader, { id: INSTANCE, content: Buffer.from([1, 1, 0]) });
  FUNCTIONS.forEach((name, index) => {
    const taken = find(sections, ALIAS, ONE_FUNCTION_OF_AN_INSTANCE, name);
    const lowered = find([sections[sections.indexOf(taken) + 1]], CANON, ONE_LOWERED_FUNCTION);
    taken.content = someFunction;
    Object.assign(lowered, { id: ALIAS, content: Buffer.from([1, ...trampolines[index]]) });
  });
  return Buffer.concat([inner.content.subarray(0, PREAMBLE_BYTES), ...sections.flatMap(bytesOf)]);
}

/** The first section of a kind that starts and ends so. */
function find(sections, kind, start, end = []) {
  const section = sections.find(
    ({ id, content }) =>
      id === kind &&
      content.subarray(0, start.length).equals(Buffer.from(start)) &&
      content.subarray(content.length - end.length).equals(Buffer.from(end)),
  );
  return section ?? fail();
}

/** A component's sections, in order. */
function sectionsOf(component) {
  const sections = [];
  for (let at = PREAMBLE_BYTES; at < component.length; ) {
    const id = component[at++];
    let length = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      more = component[at] >= 0x80;
      length += (component[at++] & 0x7f) * 2 ** shift;
    }
    sections.push({ id, content: component.subarray(at, at + length) });
    at += length;
  }
  return sections;
}

function bytesOf({ id, content }) {
  const head = [id];
  let length = content.length;
  for (; length >= 0x80; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return [Buffer.from([...head, length]), content];
}

/** The entries of a section of aliases that names two functions of one core instance. */
function twoAliases(content) {
  const [count, ...entries] = content;
  // Sort (two bytes), target, instance, length of the name, name.
  const length = 5 + entries[4];
  if (count !== 2 || entries.length !== length + 5 + entries[length + 4]) fail();
  return [entries.slice(0, length), entries.slice(length)];
}

/** A name as the format has it; for short ones. */
function named(text) {
  return [text.length, ...Buffer.from(text)];
}

function fail() {
  throw new Error("this version of componentize-qjs is not known here: use the one that the SDK's template names");
}
