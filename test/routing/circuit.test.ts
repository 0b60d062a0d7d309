/** The circuit breaker's transitions. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  closedCircuit,
  mayTry,
  onAbandoned,
  onFailure,
  onRecovered,
  onSuccess,
  onTrial,
  rampShare,
  type Circuit,
} from '../../src/routing/circuit.ts';
import { CIRCUIT } from '../support/fleet.ts';

const SETTINGS = { ...CIRCUIT, failures: 3, minRequests: 10, windowMs: 10_000, openMs: 1000, rampMs: 10_000 };

const fail = (circuit: Circuit, nowMs: number): Circuit => onFailure(circuit, false, nowMs, SETTINGS);
const succeed = (circuit: Circuit, nowMs: number): Circuit => onSuccess(circuit, false, nowMs, SETTINGS);
const failing = (times: number, nowMs = 0): Circuit =>
  Array.from({ length: times }).reduce<Circuit>((circuit) => fail(circuit, nowMs), closedCircuit(nowMs));

describe('a closed circuit', () => {
  it('opens with so many failures in a row, and not before', () => {
    expect(failing(2).state).toBe('closed');
    expect(failing(3)).toEqual({ state: 'open', untilMs: 1000 });
  });

  it('counts anew after a success', () => {
    expect(fail(fail(succeed(failing(2), 0), 0), 0).state).toBe('closed');
  });

  it('opens when the share of failures in the window is too large', () => {
    let circuit = closedCircuit(0);
    for (let i = 0; i < 4; i++) circuit = fail(succeed(circuit, i), i);
    expect(circuit.state).toBe('closed');
    circuit = fail(succeed(circuit, 5), 5); // ten requests, half of them failed
    expect(circuit.state).toBe('open');
  });

  it('forgets failures that are older than the window', () => {
    let circuit = closedCircuit(0);
    for (let i = 0; i < 4; i++) circuit = fail(succeed(circuit, 0), 0);
    for (let i = 0; i < 3; i++) circuit = fail(succeed(circuit, 20_000), 20_000);
    expect(circuit.state).toBe('closed');
  });
});

describe('an open circuit', () => {
  it('lets nobody through until its time is over, then one, and nobody beside it', () => {
    const open = failing(3);
    expect(mayTry(open, 999)).toBe(false);
    expect(mayTry(open, 1000)).toBe(true);
    expect(mayTry(onTrial(), 1_000_000)).toBe(false);
  });

  it('lets one through at once when a probe finds the backend well', () => {
    expect(mayTry(onRecovered(failing(3), 10), 10)).toBe(true);
  });

  it('is not closed by the end of an exchange from before', () => {
    expect(succeed(failing(3), 500)).toEqual(failing(3));
    expect(fail(onTrial(), 500)).toEqual(onTrial());
  });
});

describe('a trial', () => {
  it('closes the circuit when it succeeds, and opens it for as long again when it fails', () => {
    expect(onSuccess(onTrial(), true, 5000, SETTINGS).state).toBe('closed');
    expect(onFailure(onTrial(), true, 5000, SETTINGS)).toEqual({ state: 'open', untilMs: 6000 });
  });

  it('that ends without a verdict leaves the next one to try', () => {
    expect(mayTry(onAbandoned(onTrial(), 5000), 5000)).toBe(true);
    expect(onAbandoned(closedCircuit(0), 5000).state).toBe('closed');
  });
});

describe('a backend that came back', () => {
  it('gets its share by degrees', () => {
    const closed = onSuccess(onTrial(), true, 5000, SETTINGS);
    const shares = [5000, 6000, 10_000, 15_000, 99_000].map((nowMs) => rampShare(closed, nowMs, SETTINGS));
    expect(shares).toEqual([0.1, 0.1, 0.5, 1, 1]);
    expect(rampShare(closedCircuit(0), 0, SETTINGS)).toBe(1);
    expect(rampShare(closed, 5000, { ...SETTINGS, rampMs: 0 })).toBe(1);
  });
});

it('whatever happens, two trials never go on at the same time', () => {
  const event = fc.constantFrom('arrive', 'success', 'failure', 'abandon', 'tick', 'recover');
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      let circuit = closedCircuit(0);
      let nowMs = 0;
      let trials = 0;
      /** Exchanges going on: is it the trial? */
      const going: boolean[] = [];
      for (const each of events) {
        if (each === 'tick') nowMs += 400;
        else if (each === 'recover') circuit = onRecovered(circuit, nowMs);
        else if (each === 'arrive') {
          if (!mayTry(circuit, nowMs)) continue;
          const isTrial = circuit.state !== 'closed';
          if (isTrial) {
            circuit = onTrial();
            trials++;
          }
          going.push(isTrial);
        } else {
          const isTrial = going.shift();
          if (isTrial === undefined) continue;
          if (isTrial) trials--;
          if (each === 'success') circuit = onSuccess(circuit, isTrial, nowMs, SETTINGS);
          else if (each === 'failure') circuit = onFailure(circuit, isTrial, nowMs, SETTINGS);
          else if (isTrial) circuit = onAbandoned(circuit, nowMs);
        }
        expect(trials).toBeLessThanOrEqual(1);
      }
    }),
  );
});
