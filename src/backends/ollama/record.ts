/** One record of Ollama's chat stream, as untrusted as everything from the network. */

import type { ChatResponse } from 'ollama';

/** The fields are those of Ollama's own client plus newer ones; the values are not to be believed. */
export type ChatRecord = Readonly<
  Partial<Record<keyof ChatResponse | 'prompt_eval_cached_count' | 'error', unknown>>
>;
