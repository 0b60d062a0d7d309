/**
 * Connections that the primary gives to a worker which dies before it takes them: another worker
 * gets them. Node itself forgets such a connection and leaves its client hanging.
 */

import type { Worker } from 'node:cluster';

/** As Node's primary sends it beside the connection; the worker answers with `ack`. */
interface Handover {
  readonly act: 'newconn';
  readonly seq: number;
}

/** What a connection is before it is a socket. */
type Handle = Parameters<Worker['process']['send']>[1] & { close(): void };

/**
 * For each worker as it is forked. `others` are those that may take its connections. The message is
 * passed on as it is, so that Node ends the matter when it is answered.
 */
export function keepConnections(worker: Worker, others: () => readonly Worker[]): void {
  const { process: child } = worker;
  const underWay = new Map<number, { readonly message: Handover; readonly handle: Handle }>();
  const send = child.send.bind(child) as (...all: readonly unknown[]) => boolean;
  child.send = (message: unknown, ...rest: readonly unknown[]): boolean => {
    const [handle] = rest;
    if (isHandover(message) && handle) underWay.set(message.seq, { message, handle: handle as Handle });
    return send(message, ...rest);
  };
  child.on('internalMessage', ({ ack }: { readonly ack?: number }) => {
    if (ack !== undefined) underWay.delete(ack);
  });
  function giveAway(): void {
    // What the worker could still say has been heard when its channel is closed.
    if (child.connected) return;
    for (const { message, handle } of underWay.values()) {
      const next = others().find((each) => each.isConnected());
      if (next) next.process.send(message, handle);
      else handle.close();
    }
    underWay.clear();
  }
  // Either may come first, and the former need not come at all.
  child.on('disconnect', giveAway);
  child.on('exit', giveAway);
}

function isHandover(message: unknown): message is Handover {
  return typeof message === 'object' && message !== null && 'act' in message && message.act === 'newconn';
}
