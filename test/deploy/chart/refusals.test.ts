/** Values that make no sense are refused, with words that help. */

import { expect, it } from '@jest/globals';
import { FLEET, describeChart, render } from '../../support/chart.ts';

const SOME_KEY = 'a-key-of-at-least-thirty-two-characters';

describeChart('values that make no sense', () => {
  const backends = FLEET.config.backends;
  it.each<[string, object, RegExp]>([
    ['an unknown value', { ...FLEET, replicas: 3 }, /additional properties 'replicas' not allowed/],
    ['an unknown value within', { ...FLEET, auth: { secret: 'x' } }, /additional properties 'secret'/],
    [
      'an unknown value of a subchart',
      { ollama: { enabled: true, model: 'x' } },
      /additional properties 'model'/,
    ],
    [
      'an unknown setting',
      { config: { backends, limits: { maxRetries: 1 } } },
      /additional properties 'maxRetries'/,
    ],
    ['a wrong setting', { config: { backends, log: { level: 'loud' } } }, /log\/level/],
    ['a kind that is not there', { config: { backends: [{ ...backends[0], kind: 'tgi' }] } }, /kind/],
    ['a key in the open', { config: { backends: [{ ...backends[0], apiKey: 'sk-secret' }] } }, /apiKey/],
    ['a key of clients in the open', { config: { backends, auth: { key: SOME_KEY } } }, /auth\/key/],
    [
      'the port of the program',
      { config: { backends, server: { port: 80 } } },
      /additional properties 'port'/,
    ],
    ['a tag that is a number', { ...FLEET, image: { tag: 1 } }, /image\/tag/],
    ['a bad digest', { ...FLEET, image: { digest: 'sha256:1' } }, /image\/digest/],
    ['no backend', {}, /config\.backends: there is no backend/],
    ['too short a grace', { ...FLEET, terminationGracePeriodSeconds: 290 }, /Set at least 291/],
    ['too long a drain', { config: { backends, server: { drainTimeoutMs: '10m' } } }, /Set at least 611/],
    ['too long a delay', { config: { backends, server: { drainDelayMs: 15_000 } } }, /Set at least 306/],
    [
      'too long a drain by a variable',
      { ...FLEET, extraEnv: [{ name: 'DRAIN_TIMEOUT', value: '5m' }] },
      /Set at least 311/,
    ],
    ['two that scale', { ...FLEET, autoscaling: { enabled: true }, keda: { enabled: true } }, /Choose one/],
    [
      'scaling by nothing',
      { ...FLEET, autoscaling: { enabled: true, targetCPUUtilizationPercentage: 0 } },
      /nothing to aim at/,
    ],
    [
      'fewer at most than at least',
      { ...FLEET, autoscaling: { enabled: true, maxReplicas: 1 } },
      /above maxReplicas/,
    ],
    [
      'two monitors',
      { ...FLEET, metrics: { serviceMonitor: { enabled: true }, podMonitor: { enabled: true } } },
      /scraped twice/,
    ],
    ['two stores', { ...FLEET, valkey: { enabled: true }, redis: { url: 'redis://x' } }, /each name a store/],
    ['a route to nowhere', { ...FLEET, httpRoute: { enabled: true } }, /needs a Gateway/],
    ['one port twice', { ...FLEET, admin: { port: 3000 } }, /admin\.port is the port of clients/],
    ['a key without a name', { ...FLEET, auth: { secretKeys: { key: '' } } }, /needs a name/],
    [
      'a Secret of which nothing is used',
      { ...FLEET, auth: { existingSecret: 'x', secretKeys: { key: '' } } },
      /no entry of the Secret is used/,
    ],
    ['keys and none', { ...FLEET, auth: { allowAnonymous: true, existingSecret: 'x' } }, /Choose one/],
  ])('are refused: %s', (_what, values, message) => {
    const { code, stderr } = render(values);
    expect(stderr).toMatch(message);
    expect(code).not.toBe(0);
  });
});
