// Writes Grafana's dashboard, for the chart and for compose. `--check` writes nothing, and ends with 1 when the file is
// not current.
import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { toDashboard } from './dashboard/grafana.mjs';
import { dashboard } from './dashboard/rows.mjs';

const PATH = 'helm/node-ai-gateway/dashboards/node-ai-gateway.json';

const text = await format(JSON.stringify(toDashboard(dashboard)), { parser: 'json', printWidth: 110 });
if (!process.argv.includes('--check')) {
  writeFileSync(PATH, text);
} else if (readFileSync(PATH, 'utf8') !== text) {
  process.exitCode = 1;
  process.stderr.write(`${PATH} is not current: run \`npm run dashboard\`.\n`);
}
