/**
 * docs/clients/: Codex and Claude Code. Base URL, key and model are those of the page; the requests are those that the
 * program makes with them.
 */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse as parseToml } from 'smol-toml';
import { CLAUDE_TURN, CODEX_TURN, STREAMS } from './agents.ts';
import { fencesOf } from './page.ts';
import { blockOf, KEY, startPagesGateway, type PagesGateway } from './pages-gateway.ts';

let gateway: PagesGateway;

beforeAll(async () => {
  gateway = await startPagesGateway();
});
afterAll(() => gateway.close());

describe('docs/clients/codex.md', () => {
  interface Settings {
    readonly model: string;
    readonly model_provider: string;
    readonly model_providers: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }
  const settings = parseToml(blockOf('codex', 'config.toml')) as unknown as Settings;
  const { base_url: baseUrl = '', ...provider } = settings.model_providers[settings.model_provider] ?? {};

  it('streams a turn with tools, unchanged, from the server that has its API', async () => {
    expect(provider).toMatchObject({ env_key: 'API_KEY', wire_api: 'responses' });
    const { path, body, headers } = CODEX_TURN;
    const answer = await gateway.send(baseUrl + path, { model: settings.model, ...body }, headers);
    expect([answer.status, await answer.text()]).toEqual([200, STREAMS['/v1/responses']]);
    const call = gateway.lastCall();
    expect(call.body).toEqual({ model: settings.model, ...body });
    expect(call.headers).toMatchObject({ 'x-client-request-id': headers['x-client-request-id'] });
    for (const name of ['authorization', 'session-id', 'originator', 'x-codex-window-id']) {
      expect(call.headers).not.toHaveProperty(name);
    }
  });

  it('is told, in the words of the page, when only a backend of kind ollama has the model', async () => {
    const model = `ollama/${settings.model}`;
    const answer = await gateway.send(`${baseUrl}/responses`, { model, ...CODEX_TURN.body });
    const { error } = (await answer.json()) as { error: { message: string } };
    const shown =
      fencesOf('clients/codex.md')
        .find(({ language }) => language === '')
        ?.text.trim() ?? '';
    expect(`unexpected status ${String(answer.status)} Not Found: ${error.message}`).toBe(
      shown.replace(settings.model, model),
    );
  });
});

describe('docs/clients/claude-code.md', () => {
  const { env } = JSON.parse(blockOf('claude-code', 'settings.json')) as { env: Record<string, string> };
  const { ANTHROPIC_BASE_URL: baseUrl = '', ANTHROPIC_MODEL: model } = env;
  const { path, body, headers } = CLAUDE_TURN;

  it('streams a turn with tools, unchanged, from the server that has its API', async () => {
    expect(Object.keys(env)).toContain('ANTHROPIC_AUTH_TOKEN');
    const answer = await gateway.send(baseUrl + path, { model, ...body }, headers);
    expect([answer.status, await answer.text()]).toEqual([200, STREAMS[path]]);
    const call = gateway.lastCall();
    expect([call.path, call.body]).toEqual([path, { model, ...body }]);
    for (const name of ['authorization', 'x-app', 'anthropic-dangerous-direct-browser-access']) {
      expect(call.headers).not.toHaveProperty(name);
    }
    expect(call.headers).toMatchObject({
      'anthropic-version': headers['anthropic-version'],
      'anthropic-beta': headers['anthropic-beta'],
    });
  });

  it('takes one model for all its jobs', () => {
    const models = Object.entries(env).filter(([name]) => name.endsWith('_MODEL'));
    expect(models.map(([, value]) => value)).toEqual(models.map(() => model));
    expect(models).toHaveLength(4);
  });

  it('counts tokens where the server does', async () => {
    const { messages, tools } = body;
    const answer = await gateway.send(
      `${baseUrl}/v1/messages/count_tokens?beta=true`,
      { model, messages, tools },
      headers,
    );
    expect(await answer.json()).toEqual({ input_tokens: 42 });
  });

  it('is not let in by x-api-key, and begins with a HEAD that finds nothing', async () => {
    const answer = await fetch(gateway.here(baseUrl + path), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'x-api-key': KEY },
      body: JSON.stringify({ model, ...body }),
    });
    expect(answer.status).toBe(401);
    expect((await fetch(gateway.here(baseUrl), { method: 'HEAD' })).status).toBe(404);
  });

  it('finds nothing when only a backend of kind ollama has the model', async () => {
    const answer = await gateway.send(baseUrl + path, { model: `ollama/${String(model)}`, ...body }, headers);
    expect([answer.status, await answer.json()]).toMatchObject([404, { error: { code: 'unknown_url' } }]);
  });
});
