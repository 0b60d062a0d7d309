/** The request for the rest of an answer that broke off. */

import type { ChatBody, ChatRequest } from '../../core/chat.ts';
import type { JsonText } from '../../core/stream.ts';
import { printMembers, sliceMembers } from '../../wire/json-slice.ts';

const LIMITS = ['max_tokens', 'max_completion_tokens'] as const;

/** `pieces` of the answer were said, about as many tokens: so many fewer may follow. */
export function toRest(request: ChatRequest, said: JsonText, pieces: number): ChatRequest {
  const members = sliceMembers(request.json);
  const limits: { -readonly [K in (typeof LIMITS)[number]]?: ChatBody[K] } = {};
  for (const name of LIMITS) {
    const limit = request.body[name];
    if (typeof limit !== 'number') continue;
    // With nothing left it would not have broken off; 0 is no limit that backends know.
    const left = Math.max(1, limit - pieces);
    limits[name] = left;
    members.set(name, String(left));
  }
  return { ...request, body: { ...request.body, ...limits }, json: printMembers(members), prefill: said };
}
