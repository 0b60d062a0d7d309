// Bundles src/cli.ts into dist/main.js: one file starts three times as fast as a tree of modules.
// `--watch` rebuilds on every change and restarts the server; `--out DIR` builds elsewhere.
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { context } from 'esbuild';

const isWatching = process.argv.includes('--watch');
const outIndex = process.argv.indexOf('--out');
const outdir = outIndex < 0 ? 'dist' : process.argv[outIndex + 1];

const build = await context({
  entryPoints: [{ in: 'src/cli.ts', out: 'main' }],
  outdir,
  bundle: true,
  // What is imported lazily stays a file of its own.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  legalComments: 'linked',
  logLevel: 'warning',
  metafile: true,
  // Bundled CommonJS packages ask for node's own modules with require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});

await rm(outdir, { recursive: true, force: true });
const { metafile } = await build.rebuild();

// A CommonJS package that is imported lazily has nothing but a default export in the bundle, and all
// its names are undefined there. Imported by a module of src, which is then imported lazily, it has them.
for (const [name, { imports }] of Object.entries(metafile.inputs)) {
  for (const { path, kind } of imports) {
    if (kind === 'dynamic-import' && metafile.inputs[path]?.format === 'cjs' && name.startsWith('src/')) {
      throw new Error(`${name} must not import ${path} lazily: it is CommonJS.`);
    }
  }
}
if (isWatching) {
  await build.watch();
  spawn(process.execPath, ['--watch', '--enable-source-maps', `${outdir}/main.js`], { stdio: 'inherit' }).on(
    'exit',
    (code) => process.exit(code ?? 0),
  );
} else {
  await build.dispose();
}
