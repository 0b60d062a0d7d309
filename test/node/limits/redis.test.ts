/** Limits in Redis: a real server, where there is one. */

import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createRedisStore } from '../../../src/node/limits/redis.ts';
import { createRedis, type RedisConnection } from '../../../src/node/redis.ts';
import { describeWithRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { eventually } from '../../support/setup.ts';
import { describeStore } from './contract.ts';

const ignore = (): undefined => undefined;

describeWithRedis('with a Redis server', () => {
  let redis: TestRedis;
  const connections: RedisConnection[] = [];
  let prefixes = 0;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(() => {
    for (const each of connections.splice(0)) each.close();
  });
  afterAll(() => redis.close());

  function connect(prefix: string): ReturnType<typeof createRedisStore> {
    const connection = createRedis({ url: redis.url, opened: ignore, lost: ignore });
    connections.push(connection);
    return createRedisStore(connection.client, prefix);
  }

  describeStore('limits in Redis', () => Promise.resolve({ store: connect(`t${String(prefixes++)}:`) }));

  it('several processes share what is there, whoever asks', async () => {
    const [one, two] = [connect('shared:'), connect('shared:')];
    const verdicts = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        (i % 2 === 0 ? one : two).take({
          id: String(i),
          charges: [{ key: 'a', amount: 1, limit: 100, windowMs: 60_000 }],
          slots: [{ key: 's', limit: 60 }],
        }),
      ),
    );
    expect(verdicts.filter(({ isTaken }) => isTaken)).toHaveLength(60);
  });

  it('what it grants too late is given back', async () => {
    const [store, other] = [connect('late:'), connect('late:')];
    const charges = [{ key: 'r', amount: 1, limit: 1, windowMs: 60_000 }];
    const slots = [{ key: 's', limit: 1 }];
    await store.check();
    redis.freeze();
    try {
      await expect(store.take({ id: 'a', charges, slots })).rejects.toThrow('did not answer in time');
    } finally {
      redis.thaw();
    }
    // Only one fits in.
    await eventually(async () => (await other.take({ id: 'b', charges, slots })).isTaken);
  });

  it('every key begins with the prefix, goes by itself, and is of one slot of a cluster', async () => {
    const store = connect('mine:');
    await store.take({
      id: 'a',
      charges: [{ key: 'key:a%3Ab:requests', amount: 1, limit: 9, windowMs: 50_000 }],
      slots: [{ key: 'key:a%3Ab:slots', limit: 9 }],
    });
    const client = new Redis(redis.url);
    try {
      const keys = (await client.keys('mine:*')).sort();
      expect(keys).toEqual(['mine:{limits}:key:a%3Ab:requests', 'mine:{limits}:key:a%3Ab:slots']);
      const lives = await Promise.all(keys.map((key) => client.pttl(key)));
      for (const ms of lives) {
        expect(ms).toBeGreaterThan(0);
        expect(ms).toBeLessThanOrEqual(50_000);
      }
    } finally {
      client.disconnect();
    }
  });

  it('a lease that its holder has stopped renewing is over', async () => {
    const store = connect('dead:');
    await store.take({ id: 'a', charges: [], slots: [{ key: 's', limit: 1 }] });
    const client = new Redis(redis.url);
    try {
      // As if its deadline were reached.
      await client.zadd('dead:{limits}:s', '1', 'a');
      expect((await store.take({ id: 'b', charges: [], slots: [{ key: 's', limit: 1 }] })).isTaken).toBe(
        true,
      );
    } finally {
      client.disconnect();
    }
  });
});
