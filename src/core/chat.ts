/** The canonical chat request: OpenAI's chat completion body, as far as the gateway reads it. */

import type { JsonObject } from './json.ts';
import type { JsonText } from './stream.ts';

export type Maybe<T> = T | null | undefined;

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}
export interface RefusalPart {
  readonly type: 'refusal';
  readonly refusal: string;
}
export interface ImagePart {
  readonly type: 'image_url';
  /** OpenAI sends an object; a bare string is accepted because clients send it. */
  readonly image_url: string | { readonly url: string };
}
export interface AudioPart {
  readonly type: 'input_audio';
  readonly input_audio: { readonly data: string; readonly format: string };
}
export interface FilePart {
  readonly type: 'file';
}
export type ContentPart = TextPart | RefusalPart | ImagePart | AudioPart | FilePart;
export type Content = Maybe<string | readonly ContentPart[]>;

export interface FunctionCall {
  readonly name: string;
  /** JSON text, or what a model took for it. */
  readonly arguments: string;
}
export type MessageToolCall =
  | { readonly id: string; readonly type: 'function'; readonly function: FunctionCall }
  | {
      readonly id: string;
      readonly type: 'custom';
      readonly custom: { readonly name: string; readonly input: string };
    };

export type Role = 'developer' | 'system' | 'user' | 'assistant' | 'tool' | 'function';

export interface ChatMessage {
  readonly role: Role;
  readonly content?: Content;
  readonly name?: Maybe<string>;
  readonly refusal?: Maybe<string>;
  /** Thinking of an earlier turn, under either of its two names. */
  readonly reasoning?: Maybe<string>;
  readonly reasoning_content?: Maybe<string>;
  readonly tool_calls?: Maybe<readonly MessageToolCall[]>;
  readonly tool_call_id?: Maybe<string>;
  readonly function_call?: Maybe<FunctionCall>;
}

export interface FunctionSpec {
  readonly name: string;
  readonly description?: Maybe<string>;
  readonly parameters?: Maybe<JsonObject>;
  readonly strict?: Maybe<boolean>;
}
export interface CustomSpec {
  readonly name: string;
  readonly description?: Maybe<string>;
  readonly format?: Maybe<JsonObject>;
}
/** A custom tool takes free text where a function takes JSON. */
export type Tool =
  | { readonly type: 'function'; readonly function: FunctionSpec }
  | { readonly type: 'custom'; readonly custom: CustomSpec };

/** A tool by its name alone. */
export type ToolReference =
  | { readonly type: 'function'; readonly function: { readonly name: string } }
  | { readonly type: 'custom'; readonly custom: { readonly name: string } };

export type ToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | ToolReference
  | {
      readonly type: 'allowed_tools';
      readonly allowed_tools: {
        readonly mode: 'auto' | 'required';
        readonly tools: readonly ToolReference[];
      };
    };

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly json_schema: { readonly name: string; readonly schema: JsonObject };
    };

export const REASONING_EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number];

/** A validated request: what was read, and the text it was read from. */
export interface ChatRequest {
  readonly body: ChatBody;
  /** The body as JSON text, for backends of the same format: exact to the last digit. */
  readonly json: string;
  /** How the answer begins: another backend has said it, and this one is to go on. */
  readonly prefill?: JsonText;
  /** Images that were fetched, as base64 by their URL; undefined before that. */
  readonly images?: ReadonlyMap<string, string>;
}

export interface ChatBody {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream?: Maybe<boolean>;
  readonly stream_options?: Maybe<{ readonly include_usage?: Maybe<boolean> }>;
  readonly n?: Maybe<number>;
  readonly max_tokens?: Maybe<number>;
  readonly max_completion_tokens?: Maybe<number>;
  readonly temperature?: Maybe<number>;
  readonly top_p?: Maybe<number>;
  readonly frequency_penalty?: Maybe<number>;
  readonly presence_penalty?: Maybe<number>;
  readonly seed?: Maybe<number | bigint>;
  readonly stop?: Maybe<string | readonly string[]>;
  readonly response_format?: Maybe<ResponseFormat>;
  /** Legacy `functions` are here too, as tools. */
  readonly tools?: Maybe<readonly Tool[]>;
  /** Legacy `function_call` is here too. */
  readonly tool_choice?: Maybe<ToolChoice>;
  readonly parallel_tool_calls?: Maybe<boolean>;
  readonly reasoning_effort?: Maybe<ReasoningEffort>;
  readonly logprobs?: Maybe<boolean>;
  readonly top_logprobs?: Maybe<number>;
  readonly functions?: Maybe<readonly FunctionSpec[]>;
  readonly function_call?: Maybe<'none' | 'auto' | { readonly name: string }>;
  readonly [field: string]: unknown;
}

export function toolName(tool: Tool | ToolReference): string {
  return tool.type === 'function' ? tool.function.name : tool.custom.name;
}
