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
    [
      { access_token: 'a', refreshToken: 'a', token: 'a', privateKey: 'a', hash: 'a', credentials: { a: 1 } },
      {
        access_token: '***',
        refreshToken: '***',
        token: '***',
        privateKey: '***',
        hash: '***',
        credentials: '***',
      },
    ],
    [
      { note: 'sha256:' + '0a'.repeat(32), other: 'hmac-sha256:' + '0a'.repeat(32) },
      { note: 'sha256:***', other: 'hmac-sha256:***' },
    ],
    [{ note: 'Basic dXNlcjpwYXNzd29yZA==' }, { note: 'Basic ***' }],
    [{ note: 'basic authentication' }, { note: 'basic authentication' }],
    [{ note: 'hf_abcdefgh12345678 gsk_abcdefgh12345678' }, { note: '*** ***' }],
    [{ note: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln' }, { note: '***' }],
    [{ url: 'redis://user:pass@host:6379/0' }, { url: 'redis://***@host:6379/0' }],
    [{ url: 'http://h/v1?key=abc&a=b&api_key=c' }, { url: 'http://h/v1?key=***&a=b&api_key=***' }],
    // Whoever passes them by mistake.
    [
      { messages: [{ role: 'user', content: 'words' }], prompt: 'words', input: ['words'], tools: [{}] },
      { messages: '***', prompt: '***', input: '***', tools: '***' },
    ],
    [
      { body: { model: 'm' }, bodyText: '{}', arguments: '{}', choices: [] },
      {
        body: '***',
        bodyText: '***',
        arguments: '***',
        choices: '***',
      },
    ],
    [{ bytes: Buffer.from('words') }, { bytes: '5 bytes' }],
    [
      { usage: { prompt: 5, completion: 7 }, inputTokens: 5, maxTokens: 9, message: 'words of our own' },
      { usage: { prompt: 5, completion: 7 }, inputTokens: 5, maxTokens: 9, message: 'words of our own' },
    ],
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

  it('has of a backend that fails the words before its first quotation', () => {
    const failed = new GatewayError('upstream_error', {
      message: `The runner's at [address]: failed at "words of the client" and {"more": "of them"}`,
    });
    expect(toLoggable(failed)).toEqual({
      reason: 'upstream_error',
      message: `The runner's at [address]: failed at …`,
    });
  });

  it('is made in little time of any text', () => {
    const startMs = performance.now();
    for (const piece of ['bearer ', 'eyJ', '://a', '?key', 'sk-', '"', 'basic a', 'sha256:']) {
      const text = piece.repeat(1_000_000 / piece.length);
      toLoggable({ note: text, error: new GatewayError('upstream_error', { message: text }) });
    }
    expect(performance.now() - startMs).toBeLessThan(2000);
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
