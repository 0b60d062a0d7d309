/**
 * `tool_choice`, which Ollama does not know. Which tools may be called is decided by which are sent.
 * That one must be called is enforced by `format`: the model is made to print the call, and what it
 * prints is told as the call's arguments, as they come.
 */

import {
  toolName,
  type ChatBody,
  type FunctionSpec,
  type Maybe,
  type Tool,
  type ToolChoice,
} from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { inlineReferences } from './tools.ts';

/** What becomes of the tools of a request. Not both lists are filled. */
export interface ToolPlan {
  /** The model may call any of them, or none. */
  readonly offered: readonly FunctionSpec[];
  /** The model must call one of them. */
  readonly forced: readonly FunctionSpec[];
  /** Some take text, which can be told apart from its JSON only when it is whole. */
  readonly hasCustom: boolean;
}

export function planTools({ tools, tool_choice: choice }: ChatBody): ToolPlan {
  const allowed = allowedBy(choice, tools ?? []);
  const functions = allowed.map(toFunction);
  const hasCustom = allowed.some(({ type }) => type === 'custom');
  return isForced(choice)
    ? { offered: [], forced: functions, hasCustom }
    : { offered: functions, forced: [], hasCustom };
}

function allowedBy(choice: Maybe<ToolChoice>, tools: readonly Tool[]): readonly Tool[] {
  if (choice === 'none') return [];
  if (!isJsonObject(choice)) return tools;
  const named = choice.type === 'allowed_tools' ? choice.allowed_tools.tools : [choice];
  const names = new Set(named.map(toolName));
  return tools.filter((tool) => names.has(toolName(tool)));
}

function isForced(choice: Maybe<ToolChoice>): boolean {
  if (!isJsonObject(choice)) return choice === 'required';
  return choice.type !== 'allowed_tools' || choice.allowed_tools.mode === 'required';
}

/** A custom tool is a function with one text; the surface tells its calls in their own form. */
function toFunction(tool: Tool, index: number): FunctionSpec {
  if (tool.type === 'function') return tool.function;
  const { name, description, format } = tool.custom;
  if (format?.type === 'grammar') {
    throw new GatewayError('unsupported_parameter', {
      message: `The backend of this model cannot hold a custom tool to a grammar. Use the format 'text'.`,
      param: `tools[${String(index)}].custom.format`,
    });
  }
  const input = { type: 'string', description: 'The whole input of the tool, as plain text.' };
  return { name, description, parameters: { type: 'object', properties: { input }, required: ['input'] } };
}

/** What the model must print: one function's arguments, or the name of one of several with them. */
export function forcedFormat(forced: readonly FunctionSpec[]): JsonObject {
  const [only] = forced;
  if (only && forced.length === 1) return parametersOf(only);
  return {
    anyOf: forced.map((spec) => ({
      type: 'object',
      properties: {
        name: { type: 'string', enum: [spec.name] },
        arguments: inlineReferences(parametersOf(spec)),
      },
      required: ['name', 'arguments'],
    })),
  };
}

function parametersOf({ parameters }: FunctionSpec): JsonObject {
  return { type: 'object', ...parameters };
}

/** `format` only restricts what can be printed; the model has to be told what it means. */
export function forcedNote(forced: readonly FunctionSpec[]): string {
  const specs = forced.map(({ name, description, parameters }) =>
    JSON.stringify({ name, ...(description && { description }), parameters: parameters ?? {} }),
  );
  return forced.length === 1
    ? `Call this function now. Answer with its arguments alone, as one JSON object.\n${String(specs[0])}`
    : `Call one of these functions now. Answer with {"name": …, "arguments": …} alone, as one JSON object.\n${specs.join('\n')}`;
}
