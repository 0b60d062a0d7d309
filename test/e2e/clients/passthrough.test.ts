/** The published `openai` package on the paths that the gateway does not model: files, audio, images. */

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import OpenAI, {
  APIConnectionError,
  APIUserAbortError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  toFile,
} from 'openai';
import { createSetup, eventually } from '../../support/setup.ts';
import { failureOf } from './failure-of.ts';

const setup = createSetup();
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const KEY = 'sk-test-0123456789abcdef0123456789abcdef';
const MB = 1024 * 1024;

interface Call {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly res: ServerResponse;
}

type Answer = (call: Call) => void | Promise<void>;

interface Opened {
  readonly client: OpenAI;
  readonly calls: readonly Call[];
  inFlight(): number;
}

/** A backend of kind openai that has the model `upstream-model`, which clients call `mine`. */
async function open(answer: Answer): Promise<Opened> {
  const calls: Call[] = [];
  const upstream = createServer((req, res) => {
    if (req.url === '/v1/models') {
      res.end(JSON.stringify({ object: 'list', data: [{ id: 'upstream-model' }] }));
      return;
    }
    void bodyOf(req).then((body) => {
      const call = { path: String(req.url), headers: req.headers, body, res };
      calls.push(call);
      return answer(call);
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
  });
  const { port } = upstream.address() as AddressInfo;
  const gateway = await setup.gateway({
    env: { AUTH_KEY: KEY },
    file: `
backends: [{ name: openai, kind: openai, url: "http://127.0.0.1:${String(port)}", apiKey: the-backends-key }]
models: { mine: { targets: [{ model: upstream-model }] } }`,
  });
  return {
    calls,
    inFlight: () => gateway.deps.status().reduce((sum, status) => sum + status.inFlight, 0),
    client: new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEY, maxRetries: 0 }),
  };
}

async function bodyOf(message: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function answering(body: unknown, status = 200): Answer {
  return ({ res }) => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
}

/** The fields of a form and the hashes of its files, as the backend received them. */
function formOf({ headers, body }: Call): Record<string, string> {
  const [, boundary = ''] = /boundary=(.+)$/.exec(String(headers['content-type'])) ?? [];
  const fields: Record<string, string> = {};
  for (const part of body.toString('latin1').split(`--${boundary}`).slice(1, -1)) {
    const [head = '', ...rest] = part.slice(2, -2).split('\r\n\r\n');
    const content = rest.join('\r\n\r\n');
    const [, name = ''] = / name="([^"]*)"/.exec(head) ?? [];
    const [, file] = / filename="([^"]*)"/.exec(head) ?? [];
    fields[name] = file === undefined ? content : `${file} ${sha256(Buffer.from(content, 'latin1'))}`;
  }
  return fields;
}

describe('the openai package', () => {
  it('uploads a file', async () => {
    const { client, calls } = await open(
      answering({ id: 'file-1', object: 'file', bytes: 3 * MB, filename: 'data.jsonl', purpose: 'batch' }),
    );
    const bytes = randomBytes(3 * MB);
    const { data: file, response } = await client.files
      .create({ file: await toFile(bytes, 'data.jsonl'), purpose: 'batch' })
      .withResponse();
    expect(file).toMatchObject({ id: 'file-1', object: 'file' });
    expect(response.headers.get('x-request-id')).toMatch(/^req_/);
    const [call] = calls as [Call];
    expect(call.path).toBe('/v1/files');
    expect(call.headers.authorization).toBe('Bearer the-backends-key');
    expect(formOf(call)).toEqual({ purpose: 'batch', file: `data.jsonl ${sha256(bytes)}` });
  });

  it('lists and deletes files', async () => {
    const { client, calls } = await open((call) =>
      answering(
        call.path === '/v1/files/file-1'
          ? { id: 'file-1', object: 'file', deleted: true }
          : { object: 'list', data: [{ id: 'file-1', object: 'file' }], has_more: false },
      )(call),
    );
    const ids: string[] = [];
    for await (const { id } of client.files.list({ limit: 5, purpose: 'batch' })) ids.push(id);
    expect(ids).toEqual(['file-1']);
    expect(await client.files.delete('file-1')).toMatchObject({ deleted: true });
    expect(calls.map(({ path }) => path)).toEqual(['/v1/files?limit=5&purpose=batch', '/v1/files/file-1']);
  });

  it('has a recording written down', async () => {
    const { client, calls } = await open(answering({ text: 'Grüß dich' }));
    const wav = randomBytes(100_000);
    const { text } = await client.audio.transcriptions.create({
      file: await toFile(wav, 'speech.wav'),
      model: 'whisper-1',
      language: 'de',
    });
    expect(text).toBe('Grüß dich');
    const [call] = calls as [Call];
    expect(call.path).toBe('/v1/audio/transcriptions');
    expect(formOf(call)).toEqual({
      model: 'whisper-1',
      language: 'de',
      file: `speech.wav ${sha256(wav)}`,
    });
  });

  it('has a recording written down while it is heard', async () => {
    const { client, calls } = await open(async ({ res }) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const delta of ['Grüß ', 'dich']) {
        res.write(`data: ${JSON.stringify({ type: 'transcript.text.delta', delta })}\n\n`);
        await eventually(() => heard.includes(delta));
      }
      res.end('data: [DONE]\n\n');
    });
    const heard: string[] = [];
    const stream = await client.audio.transcriptions.create({
      file: await toFile(randomBytes(1000), 'speech.wav'),
      model: 'whisper-1',
      stream: true,
    });
    for await (const event of stream) if (event.type === 'transcript.text.delta') heard.push(event.delta);
    expect(heard).toEqual(['Grüß ', 'dich']);
    expect(calls).toHaveLength(1);
  });

  it('has a text spoken, byte by byte what the backend said', async () => {
    const mp3 = randomBytes(2 * MB);
    const { client, calls } = await open(({ res }) => {
      res.writeHead(200, { 'content-type': 'audio/mpeg' });
      for (let i = 0; i < mp3.length; i += 65_536) res.write(mp3.subarray(i, i + 65_536));
      res.end();
    });
    const speech = await client.audio.speech.create({ model: 'mine', voice: 'alloy', input: 'Grüß dich 👋' });
    expect(speech.headers.get('content-type')).toBe('audio/mpeg');
    expect(sha256(new Uint8Array(await speech.arrayBuffer()))).toBe(sha256(mp3));
    expect(JSON.parse(String(calls[0]?.body))).toEqual({
      model: 'upstream-model',
      voice: 'alloy',
      input: 'Grüß dich 👋',
    });
  });

  it('has a text judged by a model with another name', async () => {
    const { client, calls } = await open(
      answering({ id: 'modr-1', model: 'upstream-model', results: [{ flagged: false }] }),
    );
    const moderation = await client.moderations.create({ model: 'mine', input: 'hello' });
    expect(moderation.results).toMatchObject([{ flagged: false }]);
    expect(calls.map(({ path, body }) => [path, String(body)])).toEqual([
      ['/v1/moderations', '{"model":"upstream-model","input":"hello"}'],
    ]);
  });

  it('has a picture made and another one changed', async () => {
    const picture = randomBytes(300_000);
    const { client, calls } = await open(
      answering({ created: 1, data: [{ b64_json: picture.toString('base64') }] }),
    );
    const made = await client.images.generate({ model: 'mine', prompt: 'a lighthouse', size: '1024x1024' });
    expect(Buffer.from(String(made.data?.[0]?.b64_json), 'base64').equals(picture)).toBe(true);
    await client.images.edit({
      image: await toFile(picture, 'in.png', { type: 'image/png' }),
      prompt: 'at night',
    });
    const [first, second] = calls as [Call, Call];
    expect(JSON.parse(String(first.body))).toMatchObject({ model: 'upstream-model', prompt: 'a lighthouse' });
    expect(formOf(second)).toMatchObject({ image: `in.png ${sha256(picture)}`, prompt: 'at night' });
  });

  it('starts a batch', async () => {
    const { client, calls } = await open(answering({ id: 'batch-1', object: 'batch', status: 'validating' }));
    const batch = await client.batches.create({
      input_file_id: 'file-1',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    expect(batch).toMatchObject({ id: 'batch-1', status: 'validating' });
    expect(calls[0]?.path).toBe('/v1/batches');
  });

  it('is told of a model that does not exist', async () => {
    const { client, calls } = await open(answering({}));
    const error = await failureOf(client.moderations.create({ model: 'nope', input: 'hello' }));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: 'model_not_found' });
    expect(calls).toHaveLength(0);
  });

  it('has the backend’s own words for a bad request', async () => {
    const { client } = await open(
      answering(
        { error: { message: 'bad purpose', type: 'invalid_request_error', param: 'purpose', code: 'bad' } },
        400,
      ),
    );
    const error = await failureOf(
      client.files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose: 'vision' }),
    );
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: 'bad', param: 'purpose' });
  });

  it.each([401, 403])('does not take the gateway’s trouble with its key (%s) for its own', async (status) => {
    const { client } = await open(answering({ error: { message: 'no', code: 'invalid_api_key' } }, status));
    const error = await failureOf(client.files.retrieve('file-1'));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({
      status: 502,
      code: status === 401 ? 'upstream_unauthorized' : 'upstream_forbidden',
    });
  });

  it('does not take half an answer for a whole one', async () => {
    const { client } = await open(async ({ res }) => {
      res.writeHead(200, { 'content-type': 'audio/mpeg' }).write('half');
      await new Promise((resolve) => setImmediate(resolve));
      res.socket?.resetAndDestroy();
    });
    const half = (async () => {
      const speech = await client.audio.speech.create({ model: 'mine', voice: 'alloy', input: 'x' });
      return speech.arrayBuffer();
    })();
    expect(await failureOf(half)).toMatchObject({ name: 'TypeError', message: 'terminated' });
  });

  it('leaves no request behind when it is aborted', async () => {
    let isClosed = false;
    const { client, calls, inFlight } = await open(({ res }) => {
      res.on('close', () => {
        isClosed = true;
      });
    });
    const controller = new AbortController();
    const image = client.images.generate({ model: 'mine', prompt: 'x' }, { signal: controller.signal });
    const error = failureOf(image);
    await eventually(() => calls.length === 1);
    expect(inFlight()).toBe(1);
    controller.abort();
    expect(await error).toBeInstanceOf(APIUserAbortError);
    await eventually(() => isClosed && inFlight() === 0);
  });

  it('is told at once that no backend listens', async () => {
    const { url } = await setup.gateway({ env: { AUTH_KEY: KEY, OPENAI_BASE_URL: 'http://127.0.0.1:1' } });
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });
    const error = await failureOf(
      client.files.create({ file: await toFile(randomBytes(MB), 'x'), purpose: 'batch' }),
    );
    expect(error).not.toBeInstanceOf(APIConnectionError);
    expect(error).toMatchObject({ status: 502, code: 'upstream_unavailable' });
  });
});
