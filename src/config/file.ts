/** The YAML file → plain values that remember where they stood. */

import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Scalar,
} from 'yaml';
import type { Env } from './env.ts';
import type { Fault } from './fault.ts';

export interface ConfigFile {
  readonly values: unknown;
  /** `gateway.yaml:4:5` for the value at `path`, or for its key; the nearest parent if it is missing. */
  locate(path: readonly PropertyKey[], wantsKey?: boolean): string;
  readonly faults: readonly Fault[];
  /** It is YAML. Variables that are not set stand in the values as they were written. */
  readonly isReadable: boolean;
}

/** `${NAME}` and `${NAME:-default}` */
const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** `env`: what references stand for; without it they are plain text. */
export function readConfigFile(text: string, name: string, env?: Env): ConfigFile {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${name}:${String(line)}:${String(col)}`;
  };
  const [broken] = document.errors.filter(({ code }) => code !== 'DUPLICATE_KEY');
  // The errors after the first one follow from it; a name that stands twice breaks nothing else.
  const faults: Fault[] = (broken ? [broken] : document.errors).map(({ pos, message }) => ({
    where: at(pos[0]),
    message,
  }));

  if (env && !broken) {
    visit(document, {
      Scalar(key, node) {
        if (key === 'key' || typeof node.value !== 'string') return;
        for (const missing of replaceReferences(node, env)) {
          faults.push({
            where: at(node.range?.[0] ?? 0),
            message: `the environment variable ${missing} is not set. Set it, or give a default: \${${missing}:-…}`,
          });
        }
      },
    });
  }

  return {
    values: broken ? {} : ((document.toJS({ maxAliasCount: 100 }) as unknown) ?? {}),
    locate: (path, wantsKey = false) => at(offsetOf(document, path, wantsKey)),
    faults,
    isReadable: broken === undefined,
  };
}

/** Puts the values of variables in; returns the names of those that have none. */
function replaceReferences(node: Scalar, env: Env): string[] {
  const missing: string[] = [];
  const source = String(node.value);
  const replaced = source.replace(REFERENCE, (whole, variable: string, fallback: string | undefined) => {
    // An empty variable is one that was not set, as in a shell's `:-`.
    const value = env[variable] === '' ? fallback : (env[variable] ?? fallback);
    if (value === undefined) missing.push(variable);
    return value ?? whole;
  });
  if (replaced === source) return missing;
  // Written without quotes, `port: ${PORT}` means the number.
  node.value = node.type === 'PLAIN' ? plainValue(replaced) : replaced;
  return missing;
}

function plainValue(text: string): unknown {
  if (/^-?\d{1,15}(\.\d+)?$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

function offsetOf(document: Document, path: readonly PropertyKey[], wantsKey: boolean): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const step = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => isScalar(key) && key.value === step);
      const useKey = wantsKey && length === path.length;
      const node = useKey || !pair?.value ? pair?.key : pair.value;
      if (isPair(pair) && hasRange(node)) return node.range[0];
    }
    const node = document.getIn(path.slice(0, length), true);
    if (hasRange(node)) return node.range[0];
  }
  return 0;
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return (
    (isScalar(node) || isMap(node) || isAlias(node) || typeof node === 'object') &&
    !!(node as { range?: unknown } | null)?.range
  );
}
