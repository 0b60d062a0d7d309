/** The pages for newcomers lead on: every link to a file, and to a heading of it. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { fencesOf } from './page.ts';

const ROOT = new URL('../../', import.meta.url);
const CLIENTS = readdirSync(new URL('docs/clients/', ROOT));
const DOCUMENTS = ['README.md', 'docs/quickstart.md', ...CLIENTS.map((name) => `docs/clients/${name}`)];

/** The text of a document; what stands in blocks of code is no link. */
function proseOf(path: string | URL): string {
  return readFileSync(new URL(path, ROOT), 'utf8').replace(/^```.*?^```$/gms, '');
}

/** The addresses of its headings, as GitHub makes them. */
function anchorsOf(document: URL): string[] {
  return [...proseOf(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe.each(DOCUMENTS)('%s', (path) => {
  it('has no link that leads nowhere', () => {
    const links = [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const target = new URL(link, new URL(path, ROOT));
      const anchor = target.hash.slice(1);
      target.hash = '';
      return !existsSync(target) || (anchor !== '' && !anchorsOf(target).includes(anchor));
    });
    expect(broken).toEqual([]);
  });
});

describe('docs/clients/', () => {
  it('is listed in its README, page by page', () => {
    const listed = [...proseOf('docs/clients/README.md').matchAll(/^\| \[.*?\]\(([\w-]+\.md)\)/gm)];
    expect(listed.map(([, name]) => name).sort()).toEqual(
      CLIENTS.filter((name) => name !== 'README.md').sort(),
    );
  });

  it.each(CLIENTS)('%s has no code that no test looks at', (page) => {
    const unknown = fencesOf(`clients/${page}`).filter(
      ({ language, name, text }) =>
        language !== '' &&
        name === '' &&
        !(
          language === 'sh' &&
          (page === 'curl.md' || /^(npm install|pip install|export API_KEY=)/.test(text))
        ),
    );
    expect(unknown).toEqual([]);
  });
});
