/** The configuration as the operator sees it. */

import { describe, expect, it } from '@jest/globals';
import { expectAnswer } from '../../contract/answers.ts';
import { ADMIN_KEY, askAsOperator } from '../../support/operator.ts';
import { createSetup } from '../../support/setup.ts';

const setup = createSetup();
const CANARY = 'canary';

interface Described {
  readonly settings: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly sources: Readonly<Record<string, string>>;
}

async function describeConfig(url: string): Promise<{ told: Described; text: string }> {
  const response = await askAsOperator(`${url}/admin/config`);
  const { body } = await expectAnswer('GET /admin/config', response);
  return { told: body as Described, text: JSON.stringify(body) };
}

const FILE = `
auth:
  key: ${CANARY}-client-key-of-32-characters-or-more
  keys: [${CANARY}-second-key]
limits: { queue: 7 }
backends:
  - name: gpu
    kind: vllm
    url: http://127.0.0.1:9/v1
    apiKey: ${CANARY}-of-the-backend
    headers: { x-team: ${CANARY}-in-a-header, authorization: Bearer ${CANARY}-2 }
models:
  m:
    options: { api_key: ${CANARY}-option, note: 'with ${CANARY}-of-the-backend in it', num_ctx: 8192 }
`;

describe('the configuration', () => {
  it('is shown with all defaults, and each setting with the place it comes from', async () => {
    const env = { ADMIN_KEY, OLLAMA_BASE_URL: 'http://127.0.0.1:9', QUEUE_TIMEOUT_MS: '5000' };
    const { url } = await setup.gateway({ env, file: FILE });
    const { told } = await describeConfig(url);
    expect(told.settings).toMatchObject({
      limits: { queue: 7, queueTimeoutMs: 5000, maxAttempts: 3 },
      probes: { intervalMs: 5000 },
      backends: [
        { name: 'gpu', url: 'http://127.0.0.1:9/v1', apiKey: '***' },
        { name: 'ollama', url: 'http://127.0.0.1:9' },
      ],
      models: { m: { options: { num_ctx: 8192 } } },
    });
    expect(told.sources).toMatchObject({
      'auth.adminKey': 'environment ADMIN_KEY',
      'auth.key': 'gateway.yaml:3:8',
      'limits.queue': 'gateway.yaml:5:18',
      'limits.queueTimeoutMs': 'environment QUEUE_TIMEOUT_MS',
      'backends[0].url': 'gateway.yaml:9:10',
      'backends[1].url': 'environment OLLAMA_BASE_URL',
    });
    expect(told.sources).not.toHaveProperty(['limits.maxAttempts']);
  });

  it('holds no secret, under whatever name and in whatever place', async () => {
    const env = { ADMIN_KEY, OPENAI_BASE_URL: 'http://127.0.0.1:9', OPENAI_API_KEY: `${CANARY}-openai` };
    const { url } = await setup.gateway({ env, file: FILE });
    const { told, text } = await describeConfig(url);
    expect(text).not.toContain(CANARY);
    expect(text).not.toContain(ADMIN_KEY);
    expect(told.settings.auth).toMatchObject({ key: '***', keys: ['***'], adminKey: '***' });
    expect(text).toContain('"headers":{"x-team":"***","authorization":"***"}');
    expect(text).toContain('"api_key":"***","note":"***"');
  });

  it('is the one that holds after a reload', async () => {
    const env = { ADMIN_KEY, OLLAMA_BASE_URL: 'http://127.0.0.1:9' };
    const { url, rewrite, reload } = await setup.gateway({ env, file: 'strict: false' });
    rewrite('strict: true');
    expect((await describeConfig(url)).told.settings.strict).toBe(false);
    await reload();
    expect((await describeConfig(url)).told.settings.strict).toBe(true);
  });
});
