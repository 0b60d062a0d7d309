/**
 * Cuts values' own text out of JSON text. Parsing and printing again would round integers beyond
 * 2^53 and move integer-like keys to the front; the text itself is exact. All functions take valid
 * JSON (it was parsed before), so they find ends without checking what lies between.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;

/**
 * The members of the object that `json` is, as texts by name, in order of first appearance.
 * Of duplicate names the last one counts, as in JSON.parse. Empty when it is not an object.
 */
export function sliceMembers(json: string): Map<string, string> {
  const members = new Map<string, string>();
  eachMember(json, afterSpace(json, 0), (name, start) => {
    const end = endOfValue(json, start);
    members.set(name, json.slice(start, end));
    return end;
  });
  return members;
}

/** Members → object. Each name once, whatever was sent: no two readers can then see two requests. */
export function printMembers(members: ReadonlyMap<string, string>): string {
  return `{${Array.from(members, ([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

export type JsonPath = readonly (string | number)[];

/** The text of the value at `path`, or undefined when there is none. */
export function sliceJson(json: string, path: JsonPath): string | undefined {
  const found = locateJson(json, path);
  return found && json.slice(found.start, found.end);
}

/** The texts of the items of the array at `path`, in one walk; [] when there is none. */
export function sliceItems(json: string, path: JsonPath): string[] {
  const { start } = locateJson(json, path) ?? { start: json.length };
  const items: string[] = [];
  eachItem(json, start, (at) => {
    const end = endOfValue(json, at);
    items.push(json.slice(at, end));
    return end;
  });
  return items;
}

/** Where the value at `path` stands, or undefined when there is none. */
export function locateJson(json: string, path: JsonPath): { start: number; end: number } | undefined {
  let start = afterSpace(json, 0);
  for (const step of path) {
    const found = typeof step === 'string' ? findMember(json, start, step) : findItem(json, start, step);
    if (found === undefined) return undefined;
    start = found;
  }
  return { start, end: endOfValue(json, start) };
}

function findMember(json: string, start: number, name: string): number | undefined {
  let found: number | undefined;
  eachMember(json, start, (each, at) => {
    if (each === name) found = at;
    return endOfValue(json, at);
  });
  return found;
}

/** `visit` gets a member's name and where its value starts, and returns where it ends. */
function eachMember(json: string, start: number, visit: (name: string, at: number) => number): void {
  if (json.charCodeAt(start) !== OPEN_BRACE) return;
  let i = afterSpace(json, start + 1);
  while (json.charCodeAt(i) === QUOTE) {
    const nameEnd = endOfString(json, i);
    const name = stringAt(json, i, nameEnd);
    const value = afterSpace(json, afterSpace(json, nameEnd) + 1); // past the colon
    i = afterSeparator(json, visit(name, value));
  }
}

function findItem(json: string, start: number, index: number): number | undefined {
  let n = 0;
  let found: number | undefined;
  eachItem(json, start, (at) => {
    if (n++ !== index) return endOfValue(json, at);
    found = at;
    return undefined;
  });
  return found;
}

/** `visit` gets where an item starts, and returns where it ends; undefined ends the walk. */
function eachItem(json: string, start: number, visit: (at: number) => number | undefined): void {
  if (json.charCodeAt(start) !== OPEN_BRACKET) return;
  let i = afterSpace(json, start + 1);
  while (i < json.length && json.charCodeAt(i) !== CLOSE_BRACKET) {
    const end = visit(i);
    if (end === undefined) return;
    i = afterSeparator(json, end);
  }
}

/** The index after the value that starts at `start`. */
function endOfValue(json: string, start: number): number {
  const first = json.charCodeAt(start);
  if (first === QUOTE) return endOfString(json, start);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return endOfPlain(json, start);
  let depth = 0;
  for (let i = start; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === QUOTE) i = endOfString(json, i) - 1;
    else if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++;
    else if ((c === CLOSE_BRACE || c === CLOSE_BRACKET) && --depth === 0) return i + 1;
  }
  return json.length;
}

/** Numbers, true, false and null end where punctuation or space begins. */
export function endOfPlain(json: string, start: number): number {
  let i = start;
  while (i < json.length && !isSpace(json.charCodeAt(i)) && !',]}'.includes(json.charAt(i))) i++;
  return i;
}

/** The index after the quote that closes the string opened at `start`. */
export function endOfString(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); quote >= 0; quote = json.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (json.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return json.length;
}

/** The text of the string from quote to quote. */
export function stringAt(json: string, start: number, end: number): string {
  const text = json.slice(start + 1, end - 1);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

function afterSeparator(json: string, at: number): number {
  const i = afterSpace(json, at);
  return json.charCodeAt(i) === COMMA ? afterSpace(json, i + 1) : i;
}

/** Past the white space that may stand at `at`. */
export function afterSpace(json: string, at: number): number {
  let i = at;
  while (isSpace(json.charCodeAt(i))) i++;
  return i;
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}
