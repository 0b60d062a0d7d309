// Writes what the program is made of, as CycloneDX: `node scripts/sbom.mjs [FILE]`. It is read from the lockfile, so
// that it also holds what the bundle has swallowed. Without a serial number and a time: equal inputs, equal text.
//
// Not `npm sbom --omit=dev`: that leaves out packages which development needs as well, zod and undici among them.
import { readFileSync, writeFileSync } from 'node:fs';

const [file = 'sbom.cdx.json'] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const { name, version, license, description } = JSON.parse(readFileSync('package.json', 'utf8'));

const nameOf = (path) => packages[path].name ?? path.replace(/^.*node_modules\//, '');
const refOf = (path) => (path === '' ? purl(name, version) : purl(nameOf(path), packages[path].version));
const isShipped = (path) => path !== '' && !packages[path].dev;

/** Where a package of that name is found from another's folder, as Node looks for it. */
function resolve(from, wanted) {
  for (let folder = from; ; folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${wanted}`;
    if (packages[path]) return path;
    if (folder === '') return undefined;
  }
}

function purl(packageName, packageVersion) {
  return `pkg:npm/${packageName.replace('@', '%40')}@${packageVersion}`;
}

function toComponent(path) {
  const { version: found, license: terms, integrity } = packages[path];
  const [algorithm, hash] = integrity.split('-');
  return {
    type: 'library',
    'bom-ref': refOf(path),
    name: nameOf(path),
    version: found,
    purl: refOf(path),
    hashes: [
      {
        alg: algorithm.toUpperCase().replace('SHA', 'SHA-'),
        content: Buffer.from(hash, 'base64').toString('hex'),
      },
    ],
    ...(terms && { licenses: [/[ ()]/.test(terms) ? { expression: terms } : { license: { id: terms } }] }),
  };
}

function toDependency(path) {
  const { dependencies = {}, optionalDependencies = {} } = packages[path];
  const found = Object.keys({ ...dependencies, ...optionalDependencies }).map((wanted) =>
    resolve(path, wanted),
  );
  const refs = found.filter((each) => each !== undefined && isShipped(each)).map(refOf);
  return { ref: refOf(path), dependsOn: [...new Set(refs)].sort() };
}

// One package may be in several folders.
const paths = Object.keys(packages).filter(isShipped);
const distinct = paths.filter((path, i) => paths.findIndex((each) => refOf(each) === refOf(path)) === i);
const bill = {
  $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: {
    component: {
      type: 'application',
      'bom-ref': refOf(''),
      name,
      version,
      description,
      purl: refOf(''),
      licenses: [{ license: { id: license } }],
    },
  },
  components: distinct.map(toComponent),
  dependencies: ['', ...distinct].map(toDependency),
};
writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);
