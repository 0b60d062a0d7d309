/**
 * How a model is made to call a function: `format` holds what it prints to the call, and a note tells
 * it what that means. What it prints is told as the call's arguments, as they come (forced-call.ts).
 */

import { printExact, type Exact, type ExactObject } from '../../wire/exact-json.ts';
import type { SchemaBudget } from './schema.ts';
import type { PlannedTool, SchemaOf } from './tool-choice.ts';
import { inlineReferences } from './tools.ts';

const NO_PARAMETERS: ExactObject = new Map();

/** JSON text: one function's arguments, or the name of one of several with them. */
export function forcedFormat(
  forced: readonly PlannedTool[],
  schemaOf: SchemaOf,
  budget: SchemaBudget,
): string {
  const [only] = forced;
  if (only && forced.length === 1) return printExact(argumentsSchema(only, schemaOf));
  const branches = forced.map((tool) => {
    const schema = printExact(inlineReferences(argumentsSchema(tool, schemaOf), budget));
    const name = `{"type":"string","enum":[${JSON.stringify(tool.spec.name)}]}`;
    return `{"type":"object","properties":{"name":${name},"arguments":${schema}},"required":["name","arguments"]}`;
  });
  return `{"anyOf":[${branches.join(',')}]}`;
}

/** Arguments are an object, also where the schema does not say so. */
function argumentsSchema(tool: PlannedTool, schemaOf: SchemaOf): ExactObject {
  const schema = schemaOf(tool) ?? new Map<string, Exact>();
  return schema.has('type') ? schema : new Map<string, Exact>([['type', 'object'], ...schema]);
}

/** `format` only restricts what can be printed. */
export function forcedNote(forced: readonly PlannedTool[], schemaOf: SchemaOf): string {
  const specs = forced.map((tool) => {
    const { name, description } = tool.spec;
    const head = JSON.stringify({ name, ...(description && { description }) }).slice(0, -1);
    return `${head},"parameters":${printExact(schemaOf(tool) ?? NO_PARAMETERS)}}`;
  });
  return forced.length === 1
    ? `Call this function now. Answer with its arguments alone, as one JSON object.\n${String(specs[0])}`
    : `Call one of these functions now. Answer with {"name": …, "arguments": …} alone, as one JSON object.\n${specs.join('\n')}`;
}
