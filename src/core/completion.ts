/** The canonical text completion request, and what a kind of backend does with it. */

import type { Maybe } from './chat.ts';
import type { Target } from './fleet.ts';
import type { AnswerShape, DecodeLimits } from './kind.ts';
import type { UpstreamRequest } from './upstream.ts';
import type { Converter, Encoder } from './stream.ts';

/** A text, or the tokens of one. */
export type Prompt = string | readonly number[];

/** OpenAI's body as far as the gateway reads it, besides the prompt. */
export interface CompletionBody {
  readonly model: string;
  readonly stream?: Maybe<boolean>;
  readonly stream_options?: Maybe<{ readonly include_usage?: Maybe<boolean> }>;
  /** Answers to each prompt. */
  readonly n?: Maybe<number>;
  /** Answers to choose them from. */
  readonly best_of?: Maybe<number>;
  readonly echo?: Maybe<boolean>;
  /** What follows the text that is to be filled in. */
  readonly suffix?: Maybe<string>;
  /** Alternatives of each token; 0 asks for the tokens alone. */
  readonly logprobs?: Maybe<number>;
  readonly max_tokens?: Maybe<number>;
  readonly temperature?: Maybe<number>;
  readonly top_p?: Maybe<number>;
  readonly frequency_penalty?: Maybe<number>;
  readonly presence_penalty?: Maybe<number>;
  readonly seed?: Maybe<number | bigint>;
  readonly stop?: Maybe<string | readonly string[]>;
  readonly [field: string]: unknown;
}

export interface CompletionRequest {
  readonly body: CompletionBody;
  /** Never empty. */
  readonly prompts: readonly Prompt[];
  /** The prompts as text; undefined while some are tokens that nobody decoded. */
  readonly texts: readonly string[] | undefined;
  /** The members of the body as JSON texts by name: exact to the last digit. */
  readonly members: ReadonlyMap<string, string>;
}

/** All that shapes an answer besides what the model says. */
export interface CompletionShape extends Pick<
  AnswerShape,
  'id' | 'created' | 'model' | 'fingerprint' | 'isStream' | 'index' | 'isPart' | 'includeUsage' | 'logprobs'
> {
  /** The prompt, where the answer begins with it; else ''. */
  readonly echo: string;
  /** How many answers one call gives. */
  readonly choices: number;
}

/** What differs between kinds of backends. Pure. */
export interface CompletionMethods {
  /** It cannot serve this request from tokens. */
  needsTexts(request: CompletionRequest): boolean;
  /** Parameters that it does not heed, by name. */
  ignoredParams(request: CompletionRequest, target: Target): readonly string[];
  /** Throws GatewayError for what the target cannot do. */
  toRequest(request: CompletionRequest, target: Target): UpstreamRequest;
  /** `createEncoder`: writes the client's format, where the backend's is another. */
  createConverter(shape: CompletionShape, limits: DecodeLimits, createEncoder: () => Encoder): Converter;
}
