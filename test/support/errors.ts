/** An answer that is an error, as clients must be able to read it. */

import { expect } from '@jest/globals';

export interface ToldError {
  readonly status: number;
  readonly code: string | null;
  readonly message: string;
}

/** Reads it, and looks that it has OpenAI's form and tells nothing of the machines behind. */
export async function expectError(response: Response): Promise<ToldError> {
  const { error } = (await response.json()) as { error: { message: string; code: string | null } };
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
  expect(error.message).not.toMatch(/\d+\.\d+\.\d+\.\d+|https?:|node_modules|\bat .*\.ts:\d/);
  return { status: response.status, code: error.code, message: error.message };
}
