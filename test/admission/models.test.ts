/** Patterns of models. */

import { describe, expect, it } from '@jest/globals';
import { isMatch, mayUse } from '../../src/admission/models.ts';
import { ANONYMOUS } from '../../src/core/client.ts';

describe('a pattern', () => {
  it.each([
    ['*', 'anything/at:all'],
    ['llama3.2', 'llama3.2'],
    ['llama3.2', 'llama3.2:latest'],
    ['llama3.2:latest', 'llama3.2'],
    ['llama*', 'llama3.2:70b'],
    ['*/llama*', 'hf.co/meta/llama-3'],
    ['gpt-?o', 'gpt-4o'],
    ['a*b*c', 'a-b-b-c'],
    ['**', ''],
  ])('%s is for %s', (pattern, name) => {
    expect(isMatch(pattern, name)).toBe(true);
  });

  it.each([
    ['llama3.2', 'llama3.2:70b'],
    ['llama*', 'Llama3'],
    ['llama*', 'x/llama3'],
    ['gpt-?o', 'gpt-o'],
    ['a.c', 'abc'],
    ['[ab]', 'a'],
    ['', 'a'],
    ['a*b', 'a*bc'],
  ])('%s is not for %s', (pattern, name) => {
    expect(isMatch(pattern, name)).toBe(false);
  });

  it('is decided quickly, however it is made', () => {
    expect(isMatch(`${'a*'.repeat(200)}b`, 'a'.repeat(5000))).toBe(false);
  });
});

it('a client without patterns may use all, one with none may use nothing', () => {
  expect(mayUse(ANONYMOUS, 'm')).toBe(true);
  expect(mayUse({ ...ANONYMOUS, models: [] }, 'm')).toBe(false);
  expect(mayUse({ ...ANONYMOUS, models: ['x', 'm*'] }, 'm2')).toBe(true);
});
