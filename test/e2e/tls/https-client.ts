/** Clients of an encrypted gateway: OpenAI's own, and one that only looks at the certificate. */

import { connect } from 'node:tls';
import OpenAI from 'openai';
import { Agent, fetch as undiciFetch } from 'undici';
import type { Identity } from '../../support/certificate-authority.ts';

export interface ClientOptions {
  /** Whom it trusts, in PEM. */
  readonly ca: string;
  /** What it shows when it is asked; undefined: nothing. */
  readonly identity?: Partial<Identity> | undefined;
}

export function openaiAt(url: string, { ca, identity }: ClientOptions): OpenAI {
  const dispatcher = new Agent({ connect: { ca, ...identity } });
  const fetch = ((input: string, init: object) =>
    undiciFetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'x', fetch, maxRetries: 0 });
}

export async function streamedTo(client: OpenAI): Promise<string> {
  const stream = await client.chat.completions.create({
    model: 'm',
    stream: true,
    messages: [{ role: 'user', content: 'hi' }],
  });
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  return text;
}

/** Whether this is the certificate that a client is shown which connects now. */
export function isShown(port: number, ca: string, { cert }: Identity): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca }, () => {
      resolve(plain(socket.getPeerX509Certificate()?.toString() ?? '') === plain(cert));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** The same text, however it was broken into lines. */
function plain(pem: string): string {
  return pem.replace(/\s/g, '');
}
