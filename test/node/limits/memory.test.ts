/** Limits in the memory of one process. */

import { expect, it } from '@jest/globals';
import { LEASE_MS } from '../../../src/core/limits.ts';
import { createMemoryStore } from '../../../src/node/limits/memory.ts';
import { describeStore } from './contract.ts';

describeStore('limits in memory', () =>
  Promise.resolve({ store: createMemoryStore(() => performance.now()) }),
);

it('a lease in memory that is not renewed is over', async () => {
  let nowMs = 0;
  const store = createMemoryStore(() => nowMs);
  const slots = [{ key: 's', limit: 1 }];
  await store.take({ id: 'a', charges: [], slots });
  nowMs = LEASE_MS - 1;
  expect((await store.take({ id: 'b', charges: [], slots })).isTaken).toBe(false);
  await store.renew([{ id: 'a', key: 's' }]);
  nowMs = 2 * LEASE_MS - 2;
  expect((await store.take({ id: 'b', charges: [], slots })).isTaken).toBe(false);
  nowMs++;
  expect((await store.take({ id: 'b', charges: [], slots })).isTaken).toBe(true);
});
