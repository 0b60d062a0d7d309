/** The canonical embedding request and answer, and what a kind of backend does with them. */

import type { Target } from './fleet.ts';
import type { UpstreamRequest } from './upstream.ts';
import type { ByteText, Usage } from './stream.ts';

/** A text, or the tokens of one. */
export type EmbeddingInput = string | readonly number[];

/** How a vector is written: a JSON array of numbers, or a JSON string of little-endian float32. */
export type VectorEncoding = 'float' | 'base64';

export interface EmbeddingRequest {
  /** As the client named it. */
  readonly model: string;
  /** Never empty. */
  readonly inputs: readonly EmbeddingInput[];
  /** The inputs as text, for backends that take no tokens; undefined while nothing was decoded. */
  readonly texts: readonly string[] | undefined;
  readonly encoding: VectorEncoding;
  /** Numbers in a vector; undefined: as many as the model gives. */
  readonly dimensions: number | undefined;
  /** The members of the request's body besides `input`, as JSON texts by name. */
  readonly members: ReadonlyMap<string, string>;
}

/** A vector as it stood on the wire: checked, but not parsed and not printed anew. */
export interface Vector {
  readonly encoding: VectorEncoding;
  /** A JSON literal. */
  readonly text: ByteText;
  /** How many numbers it has. */
  readonly width: number;
}

export interface EmbeddingAnswer {
  /** In the order of the inputs; undefined where the backend sent something else. */
  readonly vectors: readonly (Vector | undefined)[];
  /** null when the backend did not count. */
  readonly usage: Usage | null;
  /** As the backend called it; '' when it did not. */
  readonly model: string;
}

/** What differs between kinds of backends. Pure. */
export interface EmbeddingMethods {
  /** Takes arrays of tokens in place of texts. */
  readonly takesTokens: boolean;
  /** Parameters that it does not heed, by name. */
  ignoredParams(request: EmbeddingRequest, target: Target): readonly string[];
  /** Throws GatewayError for what the target cannot do. */
  toRequest(request: EmbeddingRequest, target: Target): UpstreamRequest;
  /** Reads a whole body. Throws GatewayError when it is an error or no answer at all. */
  readAnswer(body: ByteText, request: EmbeddingRequest): EmbeddingAnswer;
}
