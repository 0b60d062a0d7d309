/** What the log hears of the certificate of the port, day by day. */

import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { Logger } from '../../src/core/exchange.ts';
import { createListener } from '../../src/node/listener.ts';
import { createAuthority, type Identity } from '../support/certificate-authority.ts';

const DAY_MS = 86_400_000;
const authority = createAuthority();
const START = new Date('2030-01-01T00:00:00Z');
const inDays = (days: number): Date => new Date(START.getTime() + days * DAY_MS);
const issue = (days: number): Identity => authority.issue({ names: ['localhost'], expires: inDays(days) });

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});
afterEach(() => {
  jest.useRealTimers();
});

function listen(first: Identity) {
  const told: string[] = [];
  const at =
    (level: string): Logger['info'] =>
    (message, fields) =>
      told.push(`${level}: ${message} ${String(fields?.expires)}`);
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const tls = { ...first, clientCa: undefined };
  return { told, ...createListener(() => undefined, { headersTimeout: 1000 }, tls, logger) };
}

it('a certificate is told of when it is loaded, and each day from 14 days before its end', () => {
  const { told } = listen(issue(16.5));
  expect(told.splice(0)).toEqual(['info: certificate loaded 2030-01-17T12:00:00.000Z']);
  jest.advanceTimersByTime(2 * DAY_MS);
  expect(told.splice(0)).toEqual([]);
  jest.advanceTimersByTime(DAY_MS);
  expect(told.splice(0)).toEqual(['warn: the certificate expires soon 2030-01-17T12:00:00.000Z']);
  jest.advanceTimersByTime(13 * DAY_MS);
  expect(told.splice(0)).toHaveLength(13);
  jest.advanceTimersByTime(DAY_MS);
  expect(told).toEqual(['error: the certificate has expired 2030-01-17T12:00:00.000Z']);
});

it('one that took its place is told of instead, once', () => {
  const { told, secure } = listen(issue(2));
  const next = { ...issue(90), clientCa: undefined };
  told.splice(0);
  secure(next);
  secure(next);
  expect(told).toEqual(['info: certificate loaded 2030-04-01T00:00:00.000Z']);
  jest.advanceTimersByTime(3 * DAY_MS);
  expect(told).toHaveLength(1);
});

it('nothing is told any more when the port is closed', () => {
  const { told, server } = listen(issue(2));
  told.splice(0);
  server.emit('close');
  jest.advanceTimersByTime(5 * DAY_MS);
  expect(told).toEqual([]);
});
