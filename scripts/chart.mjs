// Writes what the Helm chart takes from elsewhere: the schemas of its values, its README's tables, the alert rules, and
// the settings that need a restart. `--check` writes nothing, and ends with 1 when something is not current.
import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { describeSchema, readValues, toTable } from './chart/comments.mjs';
import { configSchema, restartSettings } from './chart/config-schema.mjs';
import { chartSchema, ollamaSchema, valkeySchema } from './chart/values-schema.mjs';

const CHART = 'helm/node-ai-gateway';
const isCheck = process.argv.includes('--check');
const read = (path) => readFileSync(path, 'utf8');

const SUBCHARTS = { ollama: ollamaSchema, valkey: valkeySchema };
const TITLES = { gateway: 'Values', ollama: 'Values of `ollama`', valkey: 'Values of `valkey`' };

async function schemasOf() {
  const described = {};
  const files = {};
  for (const [name, schema] of Object.entries(SUBCHARTS)) {
    const folder = `${CHART}/charts/${name}`;
    described[name] = describeSchema(schema, readValues(read(`${folder}/values.yaml`)));
    files[`${folder}/values.schema.json`] = described[name];
  }
  const values = readValues(read(`${CHART}/values.yaml`));
  const schema = describeSchema(chartSchema({ config: configSchema(), ...described }), values);
  files[`${CHART}/values.schema.json`] = schema;
  const texts = Object.entries(files).map(async ([path, content]) => [
    path,
    await format(JSON.stringify(content), { parser: 'json', printWidth: 110 }),
  ]);
  return Object.fromEntries(await Promise.all(texts));
}

/** The text between two marks of the README is the tables; the rest is written by hand. */
function readme() {
  const path = `${CHART}/README.md`;
  const tables = Object.entries(TITLES).map(([name, title]) => {
    const folder = name === 'gateway' ? CHART : `${CHART}/charts/${name}`;
    return `## ${title}\n\n${toTable(readValues(read(`${folder}/values.yaml`)))}`;
  });
  const [before, , after] = read(path).split(/<!-- \/?values -->/);
  return { [path]: `${before}<!-- values -->\n\n${tables.join('\n\n')}\n\n<!-- /values -->${after}` };
}

const files = {
  ...(await schemasOf()),
  ...readme(),
  // A chart can only read what is inside of it.
  [`${CHART}/files/rules.yml`]: read('deploy/prometheus/rules.yml'),
  [`${CHART}/files/restart-settings.json`]: await format(JSON.stringify(restartSettings()), {
    parser: 'json',
  }),
};

for (const [path, text] of Object.entries(files)) {
  if (!isCheck) {
    writeFileSync(path, text);
  } else if (read(path) !== text) {
    process.exitCode = 1;
    process.stderr.write(`${path} is not current: run \`npm run chart\`.\n`);
  }
}
