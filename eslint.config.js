// The rules of the code, and above all the dependency rule: each folder of src is a step of the data
// path and may import only what docs/architecture.md allows it.
import tseslint from 'typescript-eslint';

/** What an edge runtime does not have; the portable folders live without. */
const NODE_GLOBALS = [
  'Buffer',
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'globalThis',
  '__dirname',
  'require',
];

const FOLDERS = [
  'admission',
  'backends',
  'commands',
  'config',
  'core',
  'gateway',
  'http',
  'node',
  'routing',
  'surfaces',
  'usage',
  'wire',
];

/**
 * One override a folder. `may`: folders of src it may import besides itself; `packages`: libraries;
 * `types`: libraries of which it may import types only.
 */
function folder(name, { may = [], packages = [], types = [], isPortable = true }) {
  const forbidden = FOLDERS.filter((each) => each !== name && !may.includes(each));
  const lazy = [`^(\\.\\.\\u002f)+(${forbidden.join('|')})\\u002f`, ...(isPortable ? ['^node:'] : [])].join(
    '|',
  );
  return {
    files: [`src/${name}/**/*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
              message: `src/${name} may import ${['itself', ...may].join(', ')} only. Move the code, not the rule.`,
            },
            {
              regex: '^(\\.\\./)+(app|cli|deps|main|startup-screen)\\.ts$',
              message: 'The root knows the folders, not they the root.',
            },
            ...(isPortable
              ? [{ regex: '^node:', message: 'This folder is portable: IO is behind a port.' }]
              : []),
            {
              regex: `^(?!node:|\\.)(?!(${[...packages, ...types].join('|') || '$'})(/|$))`,
              message: 'This folder does not use that library.',
            },
            ...types.map((each) => ({
              regex: `^${each}(/|$)`,
              allowTypeImports: true,
              message: 'Types only.',
            })),
          ],
        },
      ],
      // The rule above sees no import() expressions.
      'no-restricted-syntax': [
        'error',
        {
          selector: `ImportExpression > Literal[value=/${lazy}/]`,
          message: `src/${name} may import ${['itself', ...may].join(', ')} only, also lazily.`,
        },
      ],
      ...(isPortable && { 'no-restricted-globals': ['error', ...NODE_GLOBALS] }),
    },
  };
}

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'bench/bin/', 'bench/out/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-console': 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // Factories return objects whose methods close over their state and use no `this`.
      '@typescript-eslint/unbound-method': 'off',
      // Packages describe classes of one family by interfaces.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Arrow functions that return what a callback returns read better than blocks.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  folder('core', {}),
  folder('wire', { may: ['core'], packages: ['eventsource-parser'] }),
  folder('backends', { may: ['core', 'wire'], types: ['ollama'] }),
  folder('surfaces', { may: ['core', 'wire'], packages: ['zod'], types: ['openai'] }),
  folder('admission', { may: ['core'] }),
  folder('routing', { may: ['core'] }),
  folder('usage', { may: ['core'] }),
  folder('gateway', { may: ['core', 'wire'] }),
  folder('config', { may: ['core'], packages: ['zod', 'yaml', 'fastest-levenshtein'] }),
  folder('http', {
    may: ['core', 'gateway', 'wire'],
    packages: ['express', 'cors', 'helmet', 'http-proxy-middleware'],
    isPortable: false,
  }),
  folder('node', {
    may: ['core', 'wire'],
    packages: [
      'undici',
      'winston',
      'prom-client',
      'ollama',
      'js-tiktoken',
      'rate-limiter-flexible',
      'ioredis',
      '@opentelemetry',
    ],
    types: ['express'],
    isPortable: false,
  }),
  folder('commands', { may: ['config', 'core', 'node'], isPortable: false }),
  // Wire formats keep the fields that their makers call deprecated.
  { files: ['src/surfaces/**'], rules: { '@typescript-eslint/no-deprecated': 'off' } },
  // The kinds of backends do not know each other; they meet in src/core only.
  {
    files: ['src/backends/ollama/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['**/openai/**'] }] },
  },
  {
    files: ['src/backends/openai/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['**/ollama/**'] }] },
  },
  { files: ['jest.config.ts'], rules: { 'no-restricted-exports': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: {
      // JSON of a response is unknown territory that the assertions chart.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
);
