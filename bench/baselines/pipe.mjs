#!/usr/bin/env node
// The simplest proxy that node:http allows: every byte is passed on, nothing is read, nothing is kept.
// What a gateway costs beyond it is what the gateway does. `node pipe.mjs <port> <port of the backend>`

import { Agent, createServer, request } from 'node:http';
import { pipeline } from 'node:stream';

const [port, backendPort] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxFreeSockets: 1024 });

const server = createServer({ noDelay: true }, (req, res) => {
  if (req.url === '/health') {
    res.end('ok');
    return;
  }
  const { method, url: path, headers } = req;
  const upstream = request({ agent, host: '127.0.0.1', port: backendPort, method, path, headers });
  upstream.on('response', (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    pipeline(answer, res, () => {});
  });
  upstream.on('error', () => res.destroy());
  res.on('close', () => upstream.destroy());
  req.pipe(upstream);
});

server.listen({ port, host: '127.0.0.1', backlog: 4096 });
