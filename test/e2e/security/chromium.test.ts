/** OpenAI's SDK in a page that a real browser shows: what CORS lets it do. */

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { describeWithChromium, startPage, type TestPage } from '../../support/chromium.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { saying } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';

const setup = createSetup();
const KEY = 'a-key-of-at-least-thirty-two-characters';

const scriptFor = ({ url }: TestGateway, key: string): string => `
  const { OpenAI } = await import('openai');
  const client = new OpenAI({
    baseURL: ${JSON.stringify(`${url}/v1`)},
    apiKey: ${JSON.stringify(key)},
    dangerouslyAllowBrowser: true,
    maxRetries: 0,
  });
  const { data, request_id: requestId } = await client.chat.completions
    .create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] })
    .withResponse();
  let text = '';
  for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
  await report({ text, hasRequestId: typeof requestId === 'string' });`;

describeWithChromium('a page in Chromium', () => {
  let page: TestPage;
  beforeEach(async () => {
    page = await startPage();
  });
  afterEach(async () => {
    await page.close();
  });

  async function start(corsOrigin: string): Promise<TestGateway> {
    const backend = await setup.backend(saying('from', ' afar'));
    return setup.gateway({
      env: { VLLM_BASE_URL: backend.url, AUTH_KEY: KEY, CORS_ORIGINS: corsOrigin },
    });
  }

  it('of an origin that is named streams with OpenAI’s SDK, and sees the id of its request', async () => {
    const gateway = await start(page.origin);
    await expect(page.run(scriptFor(gateway, KEY))).resolves.toEqual({
      text: 'from afar',
      hasRequestId: true,
    });
  });

  it('of an origin that is named is told why it is refused', async () => {
    const gateway = await start(page.origin);
    await expect(page.run(scriptFor(gateway, `${KEY}-of-nobody`))).rejects.toThrow('401');
  });

  it('of another origin gets nothing', async () => {
    const gateway = await start('https://chat.example');
    await expect(page.run(scriptFor(gateway, KEY))).rejects.toThrow('Connection error');
  });
});
