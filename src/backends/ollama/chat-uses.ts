/** What Ollama makes of a chat request, place by place. */

import type { ChatBody } from '../../core/chat.ts';
import type { Target } from '../../core/fleet.ts';
import { isJsonObject } from '../../core/json.ts';
import type { ChatPlan } from './chat-plan.ts';
import { canonicalName, optionOf } from './options.ts';
import { UNSUPPORTED } from './unsupported.ts';
import type { Use } from './uses.ts';
import { isAtLeast } from './version.ts';

export interface ChatUse {
  readonly body: ChatBody;
  readonly target: Target;
  readonly plan: ChatPlan;
}

type ChatUses = Use<ChatUse>;

const whole = (...names: readonly string[]): Readonly<Record<string, 'whole'>> =>
  Object.fromEntries(names.map((name) => [name, 'whole']));

/** What is done anyway, or would be. */
const unless =
  (value: unknown): ChatUses =>
  (given) =>
    given === value ? 'whole' : 'nothing';

const PARTS: Readonly<Record<string, ChatUses>> = {
  text: { members: whole('type', 'text') },
  refusal: { members: whole('type', 'refusal') },
  image_url: { members: { type: 'whole', image_url: { members: { url: 'whole', detail: unless('auto') } } } },
  input_audio: { members: { type: 'whole', input_audio: { members: whole('data', 'format') } } },
};
const CONTENT: ChatUses = {
  items: (part) => (isJsonObject(part) ? PARTS[String(part.type)] : undefined) ?? 'whole',
};

const CALLED: ChatUses = { members: whole('name', 'arguments') };
const CALLS: ChatUses = {
  items: {
    members: { ...whole('id', 'type'), function: CALLED, custom: { members: whole('name', 'input') } },
  },
};

/** A refusal stands in for an empty text, and thinking has one of two names. */
function assistantMessage({ content, reasoning, reasoning_content: other }: ChatMessageFields): ChatUses {
  const isSpoken = content !== '' && content !== null && content !== undefined;
  const isSaidTwice = typeof other === 'string' && other !== reasoning;
  return isSpoken || isSaidTwice
    ? {
        members: {
          ...ASSISTANT.members,
          ...(isSpoken && { refusal: 'nothing' }),
          ...(isSaidTwice && { reasoning: 'nothing' }),
        },
      }
    : ASSISTANT;
}
type ChatMessageFields = Readonly<Record<string, unknown>>;
const ASSISTANT = {
  members: {
    ...whole('role', 'refusal', 'reasoning', 'reasoning_content'),
    content: CONTENT,
    tool_calls: CALLS,
    function_call: CALLED,
  },
} as const;

/** The name of a speaker has no place; that of a function goes with its result. */
const SPEAKER: ChatUses = { members: { role: 'whole', content: CONTENT } };
const RESULT: ChatUses = { members: { ...whole('role', 'name', 'tool_call_id'), content: CONTENT } };

function messageUse(message: unknown): ChatUses {
  if (!isJsonObject(message)) return 'whole';
  if (message.role === 'assistant') return assistantMessage(message);
  return message.role === 'tool' || message.role === 'function' ? RESULT : SPEAKER;
}

/** That arguments keep to the schema is certain only where the model is held to it. */
const strict: ChatUses = (value, { plan }) =>
  value === true && plan.tools.offered.length > 0 ? 'nothing' : 'whole';
const FUNCTION: ChatUses = { members: { ...whole('name', 'description', 'parameters'), strict } };
const CUSTOM: ChatUses = { members: { ...whole('name', 'description'), format: { members: whole('type') } } };

const NAMED: ChatUses = { members: whole('name') };
const REFERENCE = { type: 'whole', function: NAMED, custom: NAMED } as const;
const TOOL_CHOICE: ChatUses = {
  members: {
    ...REFERENCE,
    allowed_tools: { members: { mode: 'whole', tools: { items: { members: REFERENCE } } } },
  },
};

/** What the surface made of the older form is not the client's. */
function unlessLegacy(use: ChatUses): ChatUses {
  return (_, { body }) => (body.functions ? 'whole' : use);
}

const RESPONSE_FORMAT: ChatUses = (format) => ({
  members: {
    type: 'whole',
    ...(isJsonObject(format) &&
      format.type === 'json_schema' && { json_schema: { members: whole('name', 'schema', 'strict') } }),
  },
});

/** The probabilities of what a call is printed with are those of no text. */
const logprobs: ChatUses = (value, { plan, target }) =>
  value === false || (plan.tools.forced.length === 0 && isAtLeast(target.serverVersion, [0, 12, 11]))
    ? 'whole'
    : 'nothing';

export const STREAM_OPTIONS: Use<unknown> = {
  members: {
    include_usage: 'whole',
    include_obfuscation: (value) => (value === false ? 'whole' : 'nothing'),
  },
};

/** An option of Ollama that the request may set. */
export const option = (name: string, { target }: Pick<ChatUse, 'target'>): 'whole' | 'nothing' =>
  optionOf(canonicalName(name), target, true) ? 'whole' : 'nothing';

/** What settles them is in chat-plan.ts, which tells those that lost. */
const SETTLED: readonly (keyof ChatBody & string)[] = [
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'stop',
  'reasoning_effort',
  'think',
  'format',
];

export const CHAT_USES: ChatUses = {
  members: {
    ...whole('model', 'stream', 'n', 'parallel_tool_calls', 'modalities', 'service_tier'),
    ...whole(...SETTLED),
    ...whole(...Object.keys(UNSUPPORTED)),
    messages: { items: messageUse },
    stream_options: STREAM_OPTIONS,
    logprobs,
    top_logprobs: logprobs,
    response_format: RESPONSE_FORMAT,
    tools: unlessLegacy({ items: { members: { type: 'whole', function: FUNCTION, custom: CUSTOM } } }),
    functions: { items: FUNCTION },
    tool_choice: unlessLegacy(TOOL_CHOICE),
    function_call: NAMED,
    reasoning: { members: whole('effort') },
    chat_template_kwargs: { members: whole('enable_thinking') },
    store: unless(false),
    options: { members: {}, others: option },
  },
  others: option,
};
