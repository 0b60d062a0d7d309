/**
 * `tool_choice`, which Ollama does not know. Which tools may be called is decided by which are sent.
 * That one must be called is enforced by `format` (see forced-format.ts).
 */

import {
  toolName,
  type ChatBody,
  type ChatRequest,
  type FunctionSpec,
  type Maybe,
  type Tool,
  type ToolChoice,
} from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject } from '../../core/json.ts';
import {
  isExactArray,
  isExactObject,
  parseExact,
  type Exact,
  type ExactObject,
} from '../../wire/exact-json.ts';
import { sliceJson } from '../../wire/json-slice.ts';

/** A function of the request that the model gets to know. */
export interface PlannedTool {
  readonly spec: FunctionSpec;
  /** Its place in the request. */
  readonly index: number;
  /** It takes text: its one parameter is the gateway's own. */
  readonly isCustom: boolean;
}

/** What becomes of the tools of a request. Not both lists are filled. */
export interface ToolPlan {
  /** The model may call any of them, or none. */
  readonly offered: readonly PlannedTool[];
  /** The model must call one of them. */
  readonly forced: readonly PlannedTool[];
  /** Some take text, which can be told apart from its JSON only when it is whole. */
  readonly hasCustom: boolean;
}

/** Throws GatewayError (400) for a tool that Ollama cannot have. */
export function planTools({ tools, tool_choice: choice }: ChatBody): ToolPlan {
  const isAllowed = allowedBy(choice);
  const planned = (tools ?? []).flatMap((tool, index) => (isAllowed(tool) ? toPlanned(tool, index) : []));
  const hasCustom = planned.some(({ isCustom }) => isCustom);
  return isForced(choice)
    ? { offered: [], forced: planned, hasCustom }
    : { offered: planned, forced: [], hasCustom };
}

function allowedBy(choice: Maybe<ToolChoice>): (tool: Tool) => boolean {
  if (!isJsonObject(choice)) return () => choice !== 'none';
  const named = choice.type === 'allowed_tools' ? choice.allowed_tools.tools : [choice];
  const names = new Set(named.map(toolName));
  return (tool) => names.has(toolName(tool));
}

function isForced(choice: Maybe<ToolChoice>): boolean {
  if (!isJsonObject(choice)) return choice === 'required';
  return choice.type !== 'allowed_tools' || choice.allowed_tools.mode === 'required';
}

/** A custom tool is a function with one text; the surface tells its calls in their own form. */
function toPlanned(tool: Tool, index: number): PlannedTool {
  if (tool.type === 'function') return { spec: tool.function, index, isCustom: false };
  const { name, description, format } = tool.custom;
  if (format?.type === 'grammar') {
    throw new GatewayError('unsupported_parameter', {
      message: `The backend of this model cannot hold a custom tool to a grammar. Use the format 'text'.`,
      param: `tools[${String(index)}].custom.format`,
    });
  }
  return { spec: { name, description }, index, isCustom: true };
}

/** The member of the request that has the tools. */
export function toolsParam({ functions }: ChatBody): 'functions' | 'tools' {
  return functions ? 'functions' : 'tools';
}

/** The schema of a tool's arguments; undefined when it has none. */
export type SchemaOf = (tool: PlannedTool) => ExactObject | undefined;

const CUSTOM_SCHEMA = parseExact(
  JSON.stringify({
    type: 'object',
    properties: { input: { type: 'string', description: 'The whole input of the tool, as plain text.' } },
    required: ['input'],
  }),
);

/** To the last digit as the client wrote them. */
export function schemasOf({ body, json }: ChatRequest): SchemaOf {
  const param = toolsParam(body);
  const tools = parseExact(sliceJson(json, [param]) ?? '[]');
  return ({ index, isCustom }) => {
    const tool = isExactArray(tools) ? tools[index] : undefined;
    const spec = param === 'functions' ? tool : memberOf(tool, 'function');
    const schema = isCustom ? CUSTOM_SCHEMA : memberOf(spec, 'parameters');
    return isExactObject(schema) ? schema : undefined;
  };
}

function memberOf(value: Exact | undefined, name: string): Exact | undefined {
  return isExactObject(value) ? value.get(name) : undefined;
}
