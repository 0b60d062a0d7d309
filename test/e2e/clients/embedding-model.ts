/** Models that make vectors, each told in the protocol that its backend speaks, and their librarian. */

import { isJsonObject } from '../../../src/core/json.ts';
import type { Script, ScriptedCall } from '../../support/scripted-backend.ts';
import { speaking } from './scripted-model.ts';

/** Tokens that every input costs. */
export const TOKENS_PER_INPUT = 3;

/** How often each letter stands in the text, as a vector of length 1 in float32. */
export function vectorOf(text: string): number[] {
  const counts = Array.from(
    'abcdefghijklmnopqrstuvwxyz',
    (letter) => text.toLowerCase().split(letter).length - 1,
  );
  const length = Math.hypot(...counts) || 1;
  return counts.map((count) => Math.fround(count / length));
}

/** Ollama and the servers of OpenAI's format; these pack the vectors when they are asked to. */
export const embedding: Script = ({ path, body, res }) => {
  const inputs = inputsOf(body);
  const vectors = inputs.map((input) => vectorOf(String(input)));
  const tokens = inputs.length * TOKENS_PER_INPUT;
  const answer =
    path === '/api/embed'
      ? {
          model: body.model,
          embeddings: vectors,
          total_duration: 1,
          load_duration: 1,
          prompt_eval_count: tokens,
        }
      : {
          object: 'list',
          data: vectors.map((vector, index) => ({
            object: 'embedding',
            index,
            embedding: body.encoding_format === 'base64' ? pack(vector) : vector,
          })),
          model: body.model,
          usage: { prompt_tokens: tokens, total_tokens: tokens },
        };
  res.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
};

export function inputsOf({ input }: ScriptedCall['body']): unknown[] {
  return Array.isArray(input) ? (input as unknown[]) : [input];
}

function pack(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64');
}

/** A shelf of texts whose letters tell them apart. */
export const LIBRARY = [
  'zzz zebra zoo: the zebra sleeps in the zoo',
  'jazz and jujitsu: a jolly jumble',
  'www: how we wove the world wide web',
];

/** Makes vectors, and answers questions with what it finds in them from the shelf. */
export const librarian: Script = (call) => {
  if (call.path.includes('embed')) return embedding(call);
  return talk(call);
};

const talk = speaking(({ messages }) => {
  const asked = JSON.stringify(Array.isArray(messages) ? messages.filter(isJsonObject) : []);
  const found = LIBRARY.filter((text) => asked.includes(text));
  return { text: [`I read: ${found.join(' | ')}`] };
});
