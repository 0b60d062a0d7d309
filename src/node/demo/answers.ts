/** What the demo model says. Pure; nothing here knows a model, and every answer says so. */

import { isJsonObject, type JsonObject } from '../../core/json.ts';

export interface DemoCall {
  readonly name: string;
  readonly arguments: JsonObject;
}

export interface DemoAnswer {
  readonly thinking: readonly string[];
  readonly tokens: readonly string[];
  readonly calls: readonly DemoCall[];
}

const MODEL_NOTE =
  'This answer is simulated: no model is running. The demo backend of node-ai-gateway makes it up, token by ' +
  'token, so that you can try your client. Start Ollama, pull a model and restart the gateway for real answers.';

/** Takes the body of a POST /api/chat. */
export function answerChat(body: JsonObject): DemoAnswer {
  const messages = Array.isArray(body.messages) ? body.messages.filter(isJsonObject) : [];
  const last = messages.at(-1) ?? {};
  const said = typeof last.content === 'string' ? last.content : '';
  const thinking = body.think
    ? tokensOf(`The user wants to see thinking, so here is some about "${clip(said)}".`)
    : [];
  const calls = last.role === 'user' ? callsFor(body.tools, said) : [];
  if (calls.length > 0) return { thinking, tokens: [], calls };
  const text =
    last.role === 'tool' ? `The tool said: ${clip(said)} ${MODEL_NOTE}` : textFor(body.format, said);
  return { thinking, tokens: tokensOf(text), calls: [] };
}

/** Takes the body of a POST /api/generate. */
export function answerPrompt(body: JsonObject): DemoAnswer {
  const prompt = typeof body.prompt === 'string' ? body.prompt : '';
  return { thinking: [], tokens: tokensOf(textFor(body.format, prompt)), calls: [] };
}

function textFor(format: unknown, said: string): string {
  if (format === 'json') return JSON.stringify({ answer: 'simulated', you_said: clip(said) });
  if (isJsonObject(format)) return JSON.stringify(exampleOf(format, said));
  return `You said: "${clip(said)}". ${MODEL_NOTE}`;
}

/** The tools whose name, or a word of it, stands in what the user said. */
function callsFor(tools: unknown, said: string): DemoCall[] {
  if (!Array.isArray(tools)) return [];
  const words = said.toLowerCase();
  return tools
    .filter(isJsonObject)
    .map((tool) => tool.function)
    .filter(isJsonObject)
    .filter(({ name }) => typeof name === 'string' && isMentioned(name, words))
    .map(({ name, parameters }) => {
      const value = exampleOf(isJsonObject(parameters) ? parameters : {}, said);
      return { name: String(name), arguments: isJsonObject(value) ? value : {} };
    });
}

function isMentioned(name: string, words: string): boolean {
  const parts = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.includes(name.toLowerCase()) || parts.some((part) => part.length > 3 && words.includes(part));
}

const MAX_DEPTH = 8;

/** A value that fits a JSON Schema, as far as simple rules go. */
export function exampleOf(schema: JsonObject, said: string, depth = 0): unknown {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(alternatives) && isJsonObject(alternatives[0])) {
    return exampleOf(alternatives[0], said, depth + 1);
  }
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if ('const' in schema) return schema.const;
  const type: unknown = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (depth > MAX_DEPTH ? 'null' : type) {
    case 'integer':
    case 'number':
      return Number(/-?\d+/.exec(said)?.[0] ?? 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return isJsonObject(schema.items) ? [exampleOf(schema.items, said, depth + 1)] : [];
    case 'string':
      return nameIn(said);
    default:
      return Object.fromEntries(
        Object.entries(isJsonObject(schema.properties) ? schema.properties : {}).map(([name, property]) => [
          name,
          exampleOf(isJsonObject(property) ? property : {}, said, depth + 1),
        ]),
      );
  }
}

/** The last capitalised word that does not begin the sentence: the Paris in "weather in Paris?" */
function nameIn(said: string): string {
  return [...said.matchAll(/(?<=\s)[A-Z][\p{L}-]+/gu)].at(-1)?.[0] ?? 'example';
}

/** Words with the space before them, as most tokenizers cut. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S+/g) ?? [];
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

const EMBEDDING_WIDTH = 64;

/** The same text has the same vector of length one; similar texts do not have similar ones. */
export function embed(text: string, width = EMBEDDING_WIDTH): number[] {
  let state = 2166136261;
  for (const character of text) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 16777619);
  const raw = Array.from({ length: width }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
  const norm = Math.hypot(...raw) || 1;
  return raw.map((value) => value / norm);
}
