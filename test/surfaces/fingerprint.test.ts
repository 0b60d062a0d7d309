/** What names the thing that answered, on every chunk of the answer. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import type { Target } from '../../src/core/fleet.ts';
import { fingerprintOf } from '../../src/surfaces/fingerprint.ts';
import { targetOf } from '../backends/ollama/support.ts';

describe('a fingerprint', () => {
  const own = (target: Partial<Target> = {}, body: JsonObject = {}): string =>
    fingerprintOf({ ...targetOf({ digest: 'd' }), ...target }, body);

  it('is the same for the same model on the same server', () => {
    expect(own()).toBe(own());
    expect(own()).toMatch(/^fp_[0-9a-f]{8}$/);
    expect(own({}, { num_ctx: 8192, temperature: 1 })).toBe(own());
  });

  it.each<readonly [string, Partial<Target>, JsonObject]>([
    ['the server', { serverVersion: '0.34.0' }, {}],
    ['the weights', { model: { name: 'm', created: 0, ownedBy: '', digest: 'other' } }, {}],
    ['the context that the operator fixed', { options: { num_ctx: 8192 } }, {}],
    ['the context that the request may set', { requestOptions: ['num_ctx'] }, { num_ctx: 8192 }],
    ['the same inside options', { requestOptions: ['num_ctx'] }, { options: { num_ctx: 8192 } }],
  ])('changes with %s', (_, target, body) => {
    expect(own(target, body)).not.toBe(own());
  });
});
