/** Under which names thinking travels: OpenAI's chat API has no field for it. */

/** `reasoning_content` is DeepSeek's and llama.cpp's, `reasoning` Ollama's and newer vLLM's. */
export const REASONING_KEYS = ['both', 'reasoning', 'reasoning_content', 'none'] as const;
export type ReasoningKeys = (typeof REASONING_KEYS)[number];

export interface ReasoningFields {
  reasoning?: string;
  reasoning_content?: string;
}

/** Thinking under the names that the operator chose; {} when it is to be hidden. */
export function reasoningFields(keys: ReasoningKeys, value: string): ReasoningFields {
  return {
    ...((keys === 'both' || keys === 'reasoning') && { reasoning: value }),
    ...((keys === 'both' || keys === 'reasoning_content') && { reasoning_content: value }),
  };
}
