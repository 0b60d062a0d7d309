/** The ways in which a backend fails an answer, before its first token or after it. */

import { gzipSync } from 'node:zlib';
import { failing, type Script, type ScriptedCall } from './scripted-backend.ts';
import type { Speech } from './speech.ts';

/** Larger than `limits.maxRecordBytes` allows. */
const LARGE_BYTES = 20 * 1024 * 1024;

export interface Fault {
  readonly name: string;
  /** Of the answer that is going to fail. */
  readonly headers?: (speech: Speech) => Readonly<Record<string, string>>;
  strike(call: ScriptedCall, speech: Speech): void | Promise<void>;
}

const nothing = (): void => undefined;

/** Headers, but nothing of the answer: what has begun already is left as it is. */
function flush({ res }: ScriptedCall): Promise<void> {
  res.flushHeaders();
  return new Promise((resolve) => setImmediate(resolve));
}

/** Faults that may strike at any moment. */
export const FAULTS = {
  silence: { name: 'says nothing more', strike: nothing },
  reset: { name: 'resets the connection', strike: ({ reset }) => reset() },
  close: { name: 'closes the connection', strike: ({ socket }) => void socket.end() },
  end: { name: 'ends its answer before the end', strike: ({ end }) => end() },
  cut: {
    name: 'ends its answer in the middle of a record',
    strike: ({ end }, { token }) => end(token('never').slice(0, 40)),
  },
  cutByReset: {
    name: 'resets the connection in the middle of a record',
    async strike({ write, reset }, { token }) {
      await write(token('never').slice(0, 40));
      reset();
    },
  },
  spoken: {
    name: 'says an error',
    strike: (call, { error }) => call.end(error(call, 'the GPU at http://10.0.0.7:8000 fell off the bus')),
  },
  invalidJson: {
    name: 'sends what is no JSON',
    strike: ({ end }, { kind }) => end(kind === 'ollama' ? '{"mess<html>\n' : 'data: {"mess<html>\n\n'),
  },
  invalidUtf8: {
    name: 'sends what is no UTF-8',
    strike: ({ res }, { kind }) =>
      void res.end(
        Buffer.from(
          kind === 'ollama' ? '{"\xff\xfe":\xc3\x28\n' : 'data: {"\xff\xfe":\xc3\x28\n\n',
          'latin1',
        ),
      ),
  },
  large: {
    name: 'sends a record of 20 MB',
    strike: ({ end }, { token, done }) => end(token('z'.repeat(LARGE_BYTES)) + done()),
  },
  longLength: {
    name: 'closes before its content-length is reached',
    headers: () => ({ 'content-length': '100000' }),
    async strike(call) {
      await flush(call);
      call.socket.end();
    },
  },
  shortLength: {
    name: 'sends more than its content-length',
    headers: ({ token }) => ({ 'content-length': String(token('part').length + 20) }),
    strike: ({ end }, { token, done }) => end(token('never'.repeat(100)) + done()),
  },
  brokenChunk: {
    name: 'breaks the chunks of its answer',
    async strike(call) {
      await flush(call);
      call.socket.write('no size\r\n{"message":{}}\r\n');
    },
  },
} satisfies Record<string, Fault>;

/** Faults that may strike at the beginning only. */
export const EARLY_FAULTS = {
  headersAndSilence: { name: 'sends its headers and nothing more', strike: flush },
  noHttp: {
    name: 'speaks no HTTP',
    strike: ({ socket }) => void socket.write('SSH-2.0-OpenSSH_9.6\r\n\r\n'),
  },
  html: {
    name: 'sends a web page',
    headers: () => ({ 'content-type': 'text/html' }),
    strike: ({ end }) => end('<html><body>502 Bad Gateway</body></html>\n\n'),
  },
  gzip: {
    name: 'compresses its answer',
    headers: () => ({ 'content-encoding': 'gzip' }),
    strike: ({ res }, { token, done }) => void res.end(gzipSync(token('never') + done())),
  },
} satisfies Record<string, Fault>;

/** Answers with an error status. */
export function refusing(status: number, headers: Readonly<Record<string, string>> = {}): Fault {
  const said = Object.keys(headers).length === 0 ? 'without' : 'with';
  return {
    name: `answers ${String(status)} ${said} Retry-After`,
    strike: failing(status, { error: { message: `no: ${String(status)}`, type: 'x' } }, headers),
  };
}

/** Strikes before the first token. */
export function strikingFirst({ headers, strike }: Fault, speech: Speech): Script {
  return (call) => {
    setHeaders(call, headers?.(speech));
    return strike(call, speech);
  };
}

/** Begins an answer with `part`; strikes when it is told to. */
export function strikingLater(
  { headers, strike }: Fault,
  speech: Speech,
): { readonly script: Script; strike(): Promise<void> } {
  const calls: ScriptedCall[] = [];
  return {
    async script(call) {
      setHeaders(call, headers?.(speech));
      await call.write(speech.beginning(call, 'part'));
      calls.push(call);
    },
    async strike() {
      for (const call of calls.splice(0)) await strike(call, speech);
    },
  };
}

function setHeaders({ res }: ScriptedCall, headers: Readonly<Record<string, string>> = {}): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
}
