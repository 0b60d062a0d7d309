// What `helm test` runs in the cluster, as a client: is the gateway ready, does it let in, does it answer?
const { GATEWAY_URL, AUTH_KEY, HAS_NO_KEY, MODEL } = process.env;

async function ask(path, body) {
  const response = await fetch(`${GATEWAY_URL}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json', ...(AUTH_KEY && { authorization: `Bearer ${AUTH_KEY}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  console.log(`${path}: ${response.status} ${text.slice(0, 500)}`);
  if (!response.ok) process.exit(1);
}

await ask('/readyz');
if (HAS_NO_KEY) process.exit();
await ask('/v1/models');
if (MODEL) {
  const messages = [{ role: 'user', content: 'Say hello.' }];
  await ask('/v1/chat/completions', { model: MODEL, messages, max_tokens: 16 });
}
