/** Every kind of backend, one line each. */

import type { KindName } from '../core/fleet.ts';
import type { BackendKind } from '../core/kind.ts';
import { ollama } from './ollama/index.ts';
import { llamacpp, lmstudio, openai, vllm } from './openai/index.ts';

export const kinds: Readonly<Record<KindName, BackendKind>> = { ollama, vllm, openai, llamacpp, lmstudio };
