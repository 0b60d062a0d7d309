/** What a surface makes of a request: all that the data path needs to get an answer and to tell it. */

import type { TokenEstimate } from './client.ts';
import type { Target } from './fleet.ts';
import type { BackendKind, DecodeLimits } from './kind.ts';
import type { UpstreamRequest } from './upstream.ts';
import type { GatewayError } from './errors.ts';
import type { RequestTraits } from './tracing.ts';
import type { ReasoningKeys } from './reasoning.ts';
import type { ByteText, Converter, Usage } from './stream.ts';
import type { Transcript } from './transcript.ts';

/** One request that was read and found valid. */
export interface Operation {
  /** As the client named it. */
  readonly model: string;
  readonly isStream: boolean;
  /** A guess, for limits. */
  estimateTokens(): TokenEstimate;
  /** What is told of it in traces. */
  traits(): RequestTraits;
  /** It asks for vectors and not for text. */
  readonly wantsVectors?: boolean;
  /** The parameter that holds what the model reads; `messages` unless given. */
  readonly promptParam?: string;
  /** Parameters that a backend of this kind does not heed, by name: told to the client. */
  ignoredParams(kind: BackendKind, target: Target): readonly string[];
  /** Throws GatewayError for what the target cannot do. */
  upstreamRequest(kind: BackendKind, target: Target): UpstreamRequest;
  createConverter(kind: BackendKind, target: Target): Converter;
  /** Throws GatewayError for what the target cannot do, as far as that is known without what `prepare` gets. */
  readonly check?: (kind: BackendKind, target: Target) => void;
  /** Present when something must be fetched or loaded first for a backend of one of these kinds. */
  readonly prepare?: (
    kinds: readonly BackendKind[],
    helpers: Helpers,
    signal: AbortSignal,
  ) => Promise<Operation>;
  /** Present when another backend may go on with the answer if it breaks off. */
  readonly rescue?: Rescue;
  /** Several upstream calls in place of one; undefined when one is enough. */
  readonly split?: (kinds: readonly BackendKind[]) => Split | undefined;
}

export interface Rescue {
  readonly transcript: Transcript;
  /** Asks for the rest of the answer; undefined when there is no way to. */
  continued(): Operation | undefined;
}

/** What it takes IO to know. */
export interface Helpers {
  readonly fetchImage: FetchImage;
  readonly decodeTokens: DecodeTokens;
}

/** Token ids → text. Rejects with GatewayError (400) for ids that stand for nothing. */
export type DecodeTokens = (tokens: readonly number[]) => Promise<string>;

/** http(s) URL of an image → base64. Rejects with GatewayError (400). */
export type FetchImage = (url: string, signal: AbortSignal) => Promise<string>;

export interface Split {
  /** Each is sent by itself, to whichever backend is best at that moment. */
  readonly parts: readonly Operation[];
  /** What is left to tell when all parts are told: the whole body, or the last events of a stream. */
  conclude(parts: readonly PartResult[]): { readonly bytes: ByteText; readonly usage: Usage | null };
}

export interface PartResult {
  /** '' in a stream, where it was sent as it came. */
  readonly body: ByteText;
  readonly usage: Usage | null;
}

/** One client-facing API. */
export interface Surface {
  /** Reads a request body. Throws GatewayError (400) naming the field at fault. */
  toOperation(json: string, context: SurfaceContext): Operation;
  /** The body of an answer with an error status. */
  errorBody(error: GatewayError): ByteText;
  /** The last event of a stream that failed after it had begun. */
  errorEvent(error: GatewayError): ByteText;
}

export interface SurfaceContext {
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Random characters for an id, at least 24. */
  readonly newId: () => string;
  readonly reasoningKeys: ReasoningKeys;
  /** Parameters without effect are refused; what is left out has OpenAI's own default. */
  readonly isStrict: boolean;
  /** Answers that break off are gone on with by another backend. */
  readonly isRescueOn: boolean;
  readonly limits: DecodeLimits & {
    /** Answers to one request (`n`). */
    readonly maxChoices: number;
  };
}
