/** A model that was made to call a function and does something else has failed, and not answered. */

import { expect, it } from '@jest/globals';
import { saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { readStream } from '../support/sse.ts';

const setup = createSetup();

const FORCED = {
  tools: [{ type: 'function', function: { name: 'f' } }],
  tool_choice: { type: 'function', function: { name: 'f' } },
};

it.each([true, false])('before its first byte with a status (stream: %s)', async (stream) => {
  const backend = await setup.backend(saying('Sorry, I ', 'cannot.'));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const response = await gateway.chat({ ...FORCED, stream });
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ error: { code: 'tool_call_parse_error' } });
});

it('after it in the stream, without an end', async () => {
  const backend = await setup.backend(saying('{"a":', '1'));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const { error, isDone } = await readStream(await gateway.chat({ ...FORCED, stream: true }));
  expect({ code: error?.code, isDone }).toEqual({ code: 'tool_call_parse_error', isDone: false });
});
