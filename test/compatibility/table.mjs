// What passed tests have proved → the table of the README, and what is wrong with the one that is there. Pure.

/**
 * @typedef {{ feature: string, kind: string, word: string, file: string, test: string }} Claim
 * @typedef {{ testFilePath: string, testResults: { fullName: string, status: string }[] }[]} Results
 */

const MARKED = /(<!-- compatibility -->\n)([^]*?)(<!-- \/compatibility -->)/;

/**
 * The claims of tests that passed. Of tests with the same name in one file all must have.
 * @param {Claim[]} claims
 * @param {Results} results
 */
export function provedBy(claims, results) {
  const passed = new Map();
  for (const { testFilePath, testResults } of results) {
    for (const { fullName, status } of testResults) {
      const key = `${testFilePath}\n${fullName}`;
      passed.set(key, (passed.get(key) ?? true) && status === 'passed');
    }
  }
  return claims.filter(({ file, test }) => passed.get(`${file}\n${test}`) === true);
}

/**
 * Throws when two tests have proved different things of one cell.
 * @param {Record<string, string>} features names of rows by what tests call them
 * @param {readonly string[]} kinds
 * @param {Claim[]} proved
 * @returns {string[][]} rows of cells, the first of them the name
 */
export function toRows(features, kinds, proved) {
  return Object.entries(features).map(([feature, name]) => [
    name,
    ...kinds.map((kind) => {
      const own = proved.filter((claim) => claim.feature === feature && claim.kind === kind);
      const other = own.find(({ word }) => word !== own[0].word);
      if (other) {
        throw new Error(
          `Of ${feature} with ${kind} one test proves '${own[0].word}' and another '${other.word}': ` +
            `${own[0].test}; ${other.test}`,
        );
      }
      return own[0]?.word ?? '';
    }),
  ]);
}

/** @param {readonly string[]} kinds @param {string[][]} rows */
export function renderTable(kinds, rows) {
  const lines = [['', ...kinds.map((kind) => `\`${kind}\``)], ['', ...kinds].map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** @param {string} readme @param {string} table */
export function replaceTable(readme, table) {
  if (!MARKED.test(readme)) throw new Error('README.md has no place for the table of compatibility.');
  return readme.replace(MARKED, (_, before, __, after) => `${before}\n${table}\n${after}`);
}

/**
 * One line for each cell that says something else than was proved, or nothing though something was.
 * @param {string} readme
 * @param {readonly string[]} kinds
 * @param {string[][]} rows
 */
export function differences(readme, kinds, rows) {
  const shown = new Map(
    (MARKED.exec(readme)?.[2] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) => line.slice(1, -1).split(' | '))
      .map(([name = '', ...cells]) => [name.trim(), cells.map((cell) => cell.trim())]),
  );
  const found = rows.flatMap(([name = '', ...cells]) =>
    cells.flatMap((word, i) => {
      const claimed = shown.get(name)?.[i] ?? '';
      return claimed === word ? [] : [`${name}, ${kinds[i]}: it says '${claimed}', tests prove '${word}'`];
    }),
  );
  if (found.length > 0) return found;
  return replaceTable(readme, renderTable(kinds, rows)) === readme ? [] : ['its rows are others'];
}
