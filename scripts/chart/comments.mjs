// The comments of a values.yaml that begin with "--": as rows of a table, and as descriptions of a schema.
import { isMap, parseDocument } from 'yaml';

/** Every value with a comment, in order: `{ path, value, description }`. What is inside of one needs none of its own. */
export function readValues(text) {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw document.errors[0];
  return rowsOf(document.contents, []);
}

function rowsOf(map, above) {
  return map.items.flatMap((pair, i) => {
    // The parser gives the first comment of a map to the map.
    const comment = pair.key.commentBefore ?? (i === 0 ? map.commentBefore : undefined);
    const description = descriptionOf(comment);
    const path = [...above, pair.key.value];
    if (description) return [{ path, value: pair.value.toJSON(), description }];
    if (isMap(pair.value) && pair.value.items.length > 0) return rowsOf(pair.value, path);
    throw new Error(`values.yaml: ${path.join('.')} has no comment that begins with "--".`);
  });
}

/** From "--" on; what stands above it is for readers of the file. */
function descriptionOf(comment = '') {
  const lines = comment.split('\n').map((line) => line.trim());
  const start = lines.findLastIndex((line) => line.startsWith('-- '));
  return start < 0 ? undefined : lines.slice(start).join(' ').slice(3);
}

export function toTable(values) {
  const rows = values.map(({ path, value, description }) => {
    const shown = JSON.stringify(value).replaceAll('|', '\\|');
    return `| \`${path.join('.')}\` | \`${shown}\` | ${description.replaceAll('|', '\\|')} |`;
  });
  return ['| Value | Default | Meaning |', '|---|---|---|', ...rows].join('\n');
}

/** The schema with descriptions and defaults. Throws when one of both knows a value that the other does not. */
export function describeSchema(schema, values) {
  const copy = structuredClone(schema);
  for (const { path, value, description } of values) {
    const node = path.reduce((at, step) => at?.properties?.[step], copy);
    if (!node) throw new Error(`values-schema.mjs: ${path.join('.')} is not there.`);
    Object.assign(node, { description });
    if (typeof value !== 'object') node.default = value;
  }
  const known = new Set(values.flatMap(({ path }) => path.map((_, i) => path.slice(0, i + 1).join('.'))));
  for (const name of Object.keys(copy.properties)) {
    if (!known.has(name) && name !== 'global') throw new Error(`values.yaml: ${name} is not there.`);
  }
  return copy;
}
