/** The fields of a chat completion request that the gateway reads, with OpenAI's types and ranges. */

import * as z from 'zod';
import { REASONING_EFFORTS, type ChatBody } from '../../core/chat.ts';
import { listOf } from '../lists.ts';
import { between, integer, modelName } from '../scalars.ts';
import { DECIMAL } from '../validate.ts';

/** More than any conversation has; what a request costs before it is refused grows with them. */
const MAX_MESSAGES = 10_000;
const MAX_PARTS = 10_000;
/** Of OpenAI. */
const MAX_TOOLS = 128;
const MAX_STOPS = 4;

const atLeastOne = integer.min(1).nullish();

const textPart = z.looseObject({ type: z.literal('text'), text: z.string() });
const refusalPart = z.looseObject({ type: z.literal('refusal'), refusal: z.string() });
const imagePart = z.looseObject({
  type: z.literal('image_url'),
  image_url: z.union([z.string(), z.looseObject({ url: z.string() })]),
});
const audioPart = z.looseObject({
  type: z.literal('input_audio'),
  input_audio: z.looseObject({ data: z.string(), format: z.string() }),
});
const filePart = z.looseObject({ type: z.literal('file') });

const partsOf = <T extends z.ZodType>(part: T) =>
  z.union([z.string(), listOf(part, { min: 1, max: MAX_PARTS })]);
const textContent = partsOf(z.discriminatedUnion('type', [textPart]));
const userContent = partsOf(z.discriminatedUnion('type', [textPart, imagePart, audioPart, filePart]));
const assistantContent = partsOf(z.discriminatedUnion('type', [textPart, refusalPart]));

const MAX_METADATA = 16;
const METADATA_TOO_LARGE = `too many properties. Expected an object with at most ${String(MAX_METADATA)} properties.`;

const name = z.string().nullish();
const functionName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/);
const functionCall = z.looseObject({ name: z.string(), arguments: z.string() });
const toolCall = z.discriminatedUnion('type', [
  z.looseObject({ id: z.string(), type: z.literal('function'), function: functionCall }),
  z.looseObject({
    id: z.string(),
    type: z.literal('custom'),
    custom: z.looseObject({ name: z.string(), input: z.string() }),
  }),
]);

const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['developer', 'system']), content: textContent, name }),
  z.looseObject({ role: z.literal('user'), content: userContent, name }),
  z.looseObject({
    role: z.literal('assistant'),
    content: assistantContent.nullish(),
    name,
    refusal: z.string().nullish(),
    reasoning: z.string().nullish(),
    reasoning_content: z.string().nullish(),
    tool_calls: listOf(toolCall, { max: MAX_PARTS }).nullish(),
    function_call: functionCall.nullish(),
  }),
  z.looseObject({ role: z.literal('tool'), content: textContent, tool_call_id: z.string(), name }),
  z.looseObject({ role: z.literal('function'), content: z.string().nullish(), name: z.string() }),
]);

const functionSpec = z.looseObject({
  name: functionName,
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
});
const tool = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('function'), function: functionSpec }),
  z.looseObject({
    type: z.literal('custom'),
    custom: z.looseObject({
      name: functionName,
      description: z.string().nullish(),
      format: z.looseObject({ type: z.enum(['text', 'grammar']) }).nullish(),
    }),
  }),
]);

const named = z.looseObject({ name: functionName });
const functionReference = z.looseObject({ type: z.literal('function'), function: named });
const customReference = z.looseObject({ type: z.literal('custom'), custom: named });
const allowedTools = z.looseObject({
  type: z.literal('allowed_tools'),
  allowed_tools: z.looseObject({
    mode: z.enum(['auto', 'required']),
    tools: listOf(z.discriminatedUnion('type', [functionReference, customReference]), {
      min: 1,
      max: MAX_TOOLS,
    }),
  }),
});
const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.discriminatedUnion('type', [functionReference, customReference, allowedTools]),
]);

const responseFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({ name: functionName, schema: z.record(z.string(), z.unknown()) }),
  }),
]);

export const chatBody = z.looseObject({
  model: modelName,
  messages: listOf(message, { min: 1, max: MAX_MESSAGES }),
  stream: z.boolean().nullish(),
  stream_options: z
    .looseObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
  max_tokens: atLeastOne,
  max_completion_tokens: atLeastOne,
  temperature: between(0, 2),
  top_p: between(0, 1),
  n: integer.min(1).max(128).nullish(),
  frequency_penalty: between(-2, 2),
  presence_penalty: between(-2, 2),
  seed: integer.nullish(),
  stop: z.union([z.string(), listOf(z.string(), { max: MAX_STOPS })]).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: integer.min(0).max(20).nullish(),
  logit_bias: z.record(z.string(), z.number().min(-100, DECIMAL).max(100, DECIMAL)).nullish(),
  response_format: responseFormat.nullish(),
  tools: listOf(tool, { max: MAX_TOOLS }).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning_effort: z.enum(REASONING_EFFORTS).nullish(),
  verbosity: z.enum(['low', 'medium', 'high']).nullish(),
  modalities: listOf(z.enum(['text', 'audio']), { max: MAX_PARTS }).nullish(),
  functions: listOf(functionSpec, { min: 1, max: MAX_TOOLS }).nullish(),
  function_call: z.union([z.enum(['none', 'auto']), named]).nullish(),
  metadata: z
    .record(z.string().max(64), z.string().max(512))
    .refine((pairs) => Object.keys(pairs).length <= MAX_METADATA, {
      params: { code: 'object_above_max_properties', text: METADATA_TOO_LARGE },
    })
    .nullish(),
  store: z.boolean().nullish(),
  service_tier: z.enum(['auto', 'default', 'flex', 'scale', 'priority', 'fast']).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().max(64).nullish(),
  prompt_cache_key: z.string().nullish(),
}) satisfies z.ZodType<ChatBody>;
