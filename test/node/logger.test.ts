/** What may stand in a log line. */

import { describe, expect, it } from '@jest/globals';
import { GatewayError } from '../../src/core/errors.ts';
import { toLoggable } from '../../src/node/logger.ts';

describe('a log entry', () => {
  it.each([
    [{ authorization: 'Bearer abc' }, { authorization: '***' }],
    [{ headers: { Cookie: 'a=b', accept: 'x' } }, { headers: { Cookie: '***', accept: 'x' } }],
    [
      { apiKey: 'abc', api_key: 'abc', key: 'abc' },
      { apiKey: '***', api_key: '***', key: '***' },
    ],
    [{ note: 'sent Bearer 0123456789abcdef today' }, { note: 'sent Bearer *** today' }],
    [
      { note: 'using Bearer auth (i.e. Bearer YOUR_KEY)' },
      { note: 'using Bearer auth (i.e. Bearer YOUR_KEY)' },
    ],
    [{ note: ['used sk-abcdefgh12345678'] }, { note: ['used ***'] }],
    [{ ttftMs: 12.34567 }, { ttftMs: 12.346 }],
  ])('of %j becomes %j', (given, shown) => {
    expect(toLoggable(given)).toEqual(shown);
  });

  it('tells errors inside errors', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:11434'), { code: 'ECONNREFUSED' });
    const error = new GatewayError('upstream_unavailable', { message: 'gone', cause });
    expect(toLoggable({ error })).toEqual({
      error: {
        reason: 'upstream_unavailable',
        message: 'gone',
        cause: { name: 'Error', message: 'connect ECONNREFUSED [address]', code: 'ECONNREFUSED' },
      },
    });
  });

  it('has of a request at fault what it is and where, and none of its words', () => {
    const cause = new Error('MY PROMPT');
    const fault = new GatewayError('invalid_request', {
      message: 'MY PROMPT',
      param: 'stop',
      code: 'x',
      cause,
    });
    expect(toLoggable(fault)).toEqual({ reason: 'invalid_request', code: 'x', param: 'stop' });
    const bare = new GatewayError('invalid_request', { message: 'MY PROMPT' });
    expect(toLoggable(bare)).toEqual({ reason: 'invalid_request' });
    const left = new GatewayError('client_closed', { message: 'The client left.' });
    expect(toLoggable(left)).toEqual({ reason: 'client_closed', message: 'The client left.' });
  });

  it('has the stack of what nobody expected, and not of what has a reason', () => {
    expect(toLoggable(new Error('x'))).toHaveProperty('stack');
    expect(toLoggable(new GatewayError('client_closed', { message: 'x' }))).not.toHaveProperty('stack');
  });

  it('ends, also when objects hold each other', () => {
    const ring: Record<string, unknown> = {};
    ring.self = ring;
    expect(JSON.stringify(toLoggable(ring)).length).toBeLessThan(200);
  });
});
