/** Schemas on their way to Ollama: what it has no place for is told, digits stay, and nothing grows without end. */

import { describe, expect, it } from '@jest/globals';
import { ollama } from '../../../src/backends/ollama/index.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { toChatRequest } from '../../../src/surfaces/openai-chat/request.ts';
import { targetOf } from './support.ts';

const HEAD = '"model":"m","messages":[{"role":"user","content":"q"}]';

/** `members`: JSON text, so that it holds what JavaScript cannot. */
function sent(members: string): string {
  return ollama.chatRequest(toChatRequest(`{${HEAD},${members}}`), targetOf()).body ?? '';
}

const toolText = (schema: string, name = 'f'): string =>
  `{"type":"function","function":{"name":"${name}","parameters":${schema}}}`;

interface SentFunction {
  readonly description?: string;
  readonly parameters: { readonly properties: Record<string, JsonObject>; readonly required?: string[] };
}

function functionOf(schema: JsonObject): SentFunction {
  const body = JSON.parse(sent(`"tools":[${toolText(JSON.stringify(schema))}]`)) as {
    tools: [{ function: SentFunction }];
  };
  return body.tools[0].function;
}

/** What becomes of the schema of one argument. */
const argument = (schema: JsonObject, more: JsonObject = {}): JsonObject | undefined =>
  functionOf({ type: 'object', properties: { x: schema }, ...more }).parameters.properties.x;

describe('a rule that Ollama has no place for is told', () => {
  it.each<readonly [string, JsonObject, string]>([
    ['a default', { type: 'string', default: 'a' }, 'default: "a"'],
    ['not', { not: { const: 1 } }, 'not: {"enum":[1]}'],
    [
      'patternProperties',
      { type: 'object', patternProperties: { '^x': { type: 'string' } } },
      'patternProperties: {"^x":{"type":"string"}}',
    ],
    [
      'if',
      { if: { const: 1 }, then: { type: 'string' }, else: {} },
      'if: {"enum":[1]}, then: {"type":"string"}, else: {}',
    ],
    ['contains', { type: 'array', contains: { const: 1 } }, 'contains: {"enum":[1]}'],
    ['dependentRequired', { dependentRequired: { a: ['b'] } }, 'dependentRequired: {"a":["b"]}'],
    [
      'propertyNames',
      { propertyNames: { pattern: '^a' } },
      'propertyNames: {"description":"(pattern: \\"^a\\")"}',
    ],
    [
      'additionalProperties',
      { additionalProperties: { type: 'number' } },
      'additionalProperties: {"type":"number"}',
    ],
    ['a word of nobody’s', { 'x-unit': 'kg' }, 'x-unit: "kg"'],
    ['no further items', { type: 'array', items: false }, 'items: false'],
    [
      'a reference to elsewhere',
      { $ref: 'https://example.com/s.json' },
      '$ref: "https://example.com/s.json"',
    ],
    ['a reference to nothing', { $ref: '#/$defs/none' }, '$ref: "#/$defs/none"'],
    ['null beside no type', { nullable: true, enum: ['a'] }, 'nullable: true'],
  ])('%s', (_, schema, told) => {
    expect(argument(schema)?.description).toBe(`(${told})`);
  });

  it('with what it refers to in it', () => {
    const $defs = { a: { type: 'string', enum: ['x'] } };
    expect(argument({ not: { $ref: '#/$defs/a' } }, { $defs })?.description).toBe(
      '(not: {"type":"string","enum":["x"]})',
    );
  });

  it('of a tuple, whose items may be of any of their kinds', () => {
    for (const tuple of [
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] },
      { type: 'array', items: [{ type: 'string' }, { type: 'number' }] },
    ]) {
      const { items, description } = argument(tuple) ?? {};
      expect(items).toEqual({ anyOf: [{ type: 'string' }, { type: 'number' }] });
      expect(description).toContain('tems: [{"type":"string"},{"type":"number"}]');
    }
  });

  it('of the schema as a whole in the description of the function', () => {
    const { description, parameters } = functionOf({
      type: 'object',
      description: 'All of it.',
      properties: { a: {} },
      dependentRequired: { a: ['b'] },
      minProperties: 1,
    });
    expect(description).toBe('All of it. (dependentRequired: {"a":["b"]}, minProperties: 1)');
    expect(parameters).toEqual({ type: 'object', properties: { a: {} } });
  });

  it('but nothing is told of names and comments', () => {
    expect(argument({ type: 'string', $comment: 'c', $id: 'i', $schema: 's', $anchor: 'a' })).toEqual({
      type: 'string',
    });
  });

  it('shortened when it is long', () => {
    const { description } = argument({ type: 'string', default: 'A'.repeat(100_000) }) ?? {};
    expect(String(description).length).toBeLessThan(500);
    expect(description).toMatch(/^\(default: "A+…\)$/);
  });
});

describe('schemas that hold together', () => {
  it('keep the alternatives of all', () => {
    const two = argument({ anyOf: [{ type: 'string' }], oneOf: [{ type: 'number' }] });
    expect(two).toEqual({
      description: '(oneOf: [{"type":"number"}])',
      anyOf: [{ type: 'string' }, { type: 'number' }],
    });
    expect(
      argument({
        allOf: [
          { anyOf: [{ type: 'string' }], description: 'one' },
          { anyOf: [{ type: 'number' }], description: 'two' },
        ],
      }),
    ).toEqual({
      description: 'one two (and anyOf: [{"type":"number"}])',
      anyOf: [{ type: 'string' }, { type: 'number' }],
    });
  });

  it('allow what all allow', () => {
    expect(argument({ allOf: [{ enum: [1, 2, 3] }, { enum: [2, 3, 4] }] })).toEqual({ enum: [2, 3] });
    expect(argument({ allOf: [{ type: ['string', 'null'] }, { type: 'string' }] })).toEqual({
      type: 'string',
    });
  });

  it('unite their properties, and what is required', () => {
    const part = (name: string): JsonObject => ({
      properties: { [name]: { type: 'string' }, both: { description: name } },
      required: [name],
    });
    expect(argument({ allOf: [part('a'), part('b')] })).toEqual({
      type: 'object',
      properties: { a: { type: 'string' }, both: { description: 'a b' }, b: { type: 'string' } },
      required: ['a', 'b'],
    });
  });

  it('tell the rules on both sides of a reference', () => {
    const $defs = { a: { type: 'integer', minimum: 1, description: 'A count.' } };
    expect(argument({ $ref: '#/$defs/a', description: 'Mine.', maximum: 9 }, { $defs })).toEqual({
      type: 'integer',
      description: 'A count. (minimum: 1) Mine. (maximum: 9)',
    });
  });

  it('become one object at the top, and what belongs together is told', () => {
    const branch = (name: string): JsonObject => ({
      properties: { [name]: { type: 'string' }, id: {} },
      required: ['id', name],
    });
    const { parameters, description } = functionOf({ anyOf: [branch('a'), branch('b')] });
    expect(Object.keys(parameters.properties)).toEqual(['a', 'id', 'b']);
    expect(parameters.required).toEqual(['id']);
    expect(description).toContain('anyOf: [');
  });
});

describe('a schema keeps every digit and the order of its members', () => {
  const SCHEMA =
    '{"type":"object","properties":{"10":{"const":9007199254740993},"2":{"enum":[12345678901234567890,1.0]},' +
    '"a":{"type":"integer","default":9007199254740993}}}';

  it('as a response format', () => {
    const format = `{"type":"json_schema","json_schema":{"name":"n","schema":${SCHEMA}}}`;
    expect(sent(`"response_format":${format}`)).toContain(`"format":${SCHEMA}`);
  });

  it('as that of a tool', () => {
    expect(sent(`"tools":[${toolText(SCHEMA)}]`)).toContain(
      '"properties":{"10":{"enum":[9007199254740993]},"2":{"enum":[12345678901234567890,1.0]},' +
        '"a":{"type":"integer","description":"(default: 9007199254740993)"}}',
    );
  });

  it('as that of a function in the older form', () => {
    expect(sent(`"functions":[{"name":"f","parameters":${SCHEMA}}]`)).toContain('9007199254740993');
  });

  it('as that of one tool that must be called', () => {
    expect(sent(`"tools":[${toolText(SCHEMA)}],"tool_choice":"required"`)).toContain(`"format":${SCHEMA}`);
  });

  it('as one of several of which one must be called', () => {
    const body = sent(`"tools":[${toolText(SCHEMA)},${toolText('{}', 'g')}],"tool_choice":"required"`);
    expect(body).toContain(`"arguments":${SCHEMA}`);
    const withReference = SCHEMA.replace('"a":', '"b":{"$ref":"#/properties/2"},"a":');
    const inlined = sent(
      `"tools":[${toolText(withReference)},${toolText('{}', 'g')}],"tool_choice":"required"`,
    );
    expect(inlined).toContain('"b":{"enum":[12345678901234567890,1.0]}');
  });
});

describe('a schema that would grow without end is refused, naming the tools', () => {
  const TOOLS = 4000;
  const bomb = (shared: string): string =>
    `{"$defs":{"a":${shared}},"properties":{${Array.from({ length: TOOLS }, (_, i) => `"p${String(i)}":{"$ref":"#/$defs/a"}`).join()}}}`;
  const REFUSED = { status: 400, param: 'tools', code: 'string_above_max_length' };

  it('by a list of values', () => {
    expect(() => sent(`"tools":[${toolText(bomb(`{"enum":["${'A'.repeat(200_000)}"]}`))}]`)).toThrow(
      expect.objectContaining(REFUSED),
    );
  });

  it('by a description', () => {
    expect(() => sent(`"tools":[${toolText(bomb(`{"description":"${'A'.repeat(200_000)}"}`))}]`)).toThrow(
      expect.objectContaining(REFUSED),
    );
  });

  it('by many tools together', () => {
    const shared = bomb(`{"description":"${'A'.repeat(200)}"}`);
    const tools = Array.from({ length: 20 }, (_, i) => toolText(shared, `f${String(i)}`));
    expect(sent(`"tools":[${String(tools[0])}]`)).toContain('p3999');
    expect(() => sent(`"tools":[${tools.join()}]`)).toThrow(expect.objectContaining(REFUSED));
    expect(() => sent(`"tools":[${tools.join()}],"tool_choice":"required"`)).toThrow(
      expect.objectContaining(REFUSED),
    );
  });

  it('but not by a long default, which is shortened', () => {
    const body = sent(`"tools":[${toolText(bomb(`{"type":"string","default":"${'A'.repeat(300_000)}"}`))}]`);
    expect(body.length).toBeLessThan(3_000_000);
  });
});
