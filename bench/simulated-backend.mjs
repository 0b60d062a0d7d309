#!/usr/bin/env node
// A backend without a model: Ollama's and OpenAI's chat streams from prebuilt bytes. The model's name says
// how many tokens come and how fast (protocol/model-name.mjs). Prints `{"port":…}` once it listens and ends
// when its standard input does. For measurements only: it believes whatever it is asked.

import { createServer } from 'node:net';
import { asWhole, ollamaFrames, openaiFrames } from './backend/frames.mjs';
import { createRequestReader } from './backend/requests.mjs';
import { createStreams } from './backend/streams.mjs';
import { parseModelName } from './protocol/model-name.mjs';

const LISTED = { name: 'simulated', model: 'simulated', modified_at: '2026-01-01T00:00:00Z', digest: '' };
const DOCUMENTS = {
  'GET /api/version': { version: '0.33.0' },
  'GET /api/tags': { models: [LISTED] },
  'POST /api/show': { details: { family: 'simulated' }, capabilities: ['completion'], parameters: '' },
  'GET /v1/models': {
    object: 'list',
    data: [{ id: 'simulated', object: 'model', created: 0, owned_by: 'x' }],
  },
};
const CHATS = { 'POST /api/chat': ollamaFrames, 'POST /v1/chat/completions': openaiFrames };

const streams = createStreams();
const framesByModel = new Map();

function framesOf(route, model) {
  const key = `${route} ${model}`;
  let frames = framesByModel.get(key);
  if (!frames) {
    const simulation = parseModelName(model);
    if (!simulation) return undefined;
    frames = CHATS[route](model, simulation);
    framesByModel.set(key, frames);
  }
  return frames;
}

const server = createServer({ noDelay: true }, (socket) => {
  let stream;

  const push = createRequestReader(({ method, path, body }) => {
    const route = `${method} ${path}`;
    if (route in CHATS) answer(route, JSON.parse(body));
    else if (route in DOCUMENTS) socket.write(asWhole(200, JSON.stringify(DOCUMENTS[route])));
    else if (route === 'GET /open-streams') socket.write(asWhole(200, String(streams.countOpen())));
    else socket.write(asWhole(404, '{"error":"not found"}'));
  });

  function answer(route, { model, stream: isStream, stream_options: options }) {
    const frames = framesOf(route, String(model));
    if (!frames) socket.write(asWhole(404, '{"error":"no such model"}'));
    // Ollama streams unless told otherwise.
    else if (isStream ?? route === 'POST /api/chat') {
      stream = streams.start(socket, frames, options?.include_usage === true);
    } else socket.write(frames.whole, 'latin1');
  }

  socket.on('data', push);
  socket.on('error', () => socket.destroy()); // clients that leave are part of the job
  socket.on('close', () => streams.close(stream));
});

server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
