// Writes the list of all settings at the end of gateway.example.yaml, out of the table in docs/configuration.md, which a
// test holds to the schema. `--check` writes nothing, and ends with 1 when the list is not current.
import { readFileSync, writeFileSync } from 'node:fs';
import { isMap, parse, parseDocument } from 'yaml';

const PATH = 'gateway.example.yaml';
const MARK = '# --- all settings, with their defaults ---';
const isCheck = process.argv.includes('--check');

const rows = readFileSync('docs/configuration.md', 'utf8')
  .split('\n')
  .map((line) => line.match(/^\| `([a-z][\w.[\]*]+)` \|[^|]*\| (?:`(.*?)`)? *\|([^|]*)\|(.*)\|$/))
  .filter(Boolean)
  .map(([, path, value, unit, meaning]) => ({
    path,
    value,
    comment: commentOf(unit.trim(), meaning.trim()),
  }));

/** The unit and the first sentence, without the marks of Markdown. */
function commentOf(unit, meaning) {
  const plain = meaning.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
  const [sentence] = plain.split(/(?<=\.)\s/);
  return ` ${unit === '' ? '' : `${unit}. `}${sentence}`;
}

const root = parseDocument('{}');
root.contents.flow = false;
for (const { path, value, comment } of rows) {
  const keys = path
    .replaceAll('[]', '.0')
    .split('.')
    .map((key) => (key === '*' ? 'NAME' : key === '0' ? 0 : key));
  ensure(keys);
  // What has no default has no value either.
  const node = root.createNode(value === undefined ? null : valueOf(value), { flow: true });
  node.comment = comment;
  root.setIn(keys, node);
}

function valueOf(text) {
  return /^(\[|\{|[\d.]+$|true$|false$)/.test(text) ? parse(text) : text;
}

/** Collections on the way to a setting. */
function ensure(keys) {
  keys.slice(0, -1).forEach((_, i) => {
    const path = keys.slice(0, i + 1);
    if (root.hasIn(path)) return;
    root.setIn(path, root.createNode(keys[i + 1] === 0 ? [] : {}, { flow: false }));
  });
}

if (!isMap(root.contents)) throw new TypeError('the table has no rows');
const list = root
  .toString({ lineWidth: 0, nullStr: '', flowCollectionPadding: true })
  .trimEnd()
  .split('\n')
  .map((line) => `#${line}`.trimEnd())
  .join('\n');

const text = readFileSync(PATH, 'utf8');
const [own] = text.split(`${MARK}\n`);
const whole = `${own.trimEnd()}\n\n${MARK}\n${list}\n`;
if (!isCheck) {
  writeFileSync(PATH, whole);
} else if (text !== whole) {
  process.stderr.write(`${PATH} is not current: run \`npm run example\`.\n`);
  process.exitCode = 1;
}
