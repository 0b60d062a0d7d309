// An answer as each backend would send it, one line a read, in the mix of tokens that real text has.

const MODEL = 'llama3.2:3b';
const STREAM_TOKENS = 1000;

/** About one token in eight has an escape or a character beyond ASCII in it. */
const WORDS = [' The', ' sky', ' looks', ' blue', ' because', ' of', ' the', ' way', ' sun', 'light', ' is'];
const RARE = ['\n\n', ' "blue"', ' été', '天空', ' 🌤', '\t- '];

const TOKENS = Array.from({ length: STREAM_TOKENS }, (_, i) =>
  i % 8 === 7 ? RARE[(i >> 3) % RARE.length] : WORDS[i % WORDS.length],
);

/** What every way must have said in the end. */
export const TEXT = TOKENS.join('');

export function ollamaReads() {
  const record = (content, more, i) => ({
    model: MODEL,
    created_at: `2026-01-01T00:00:${String(i % 60).padStart(2, '0')}.123456789Z`,
    message: { role: 'assistant', content },
    ...more,
  });
  const records = TOKENS.map((content, i) => record(content, { done: false }, i));
  const last = record(
    '',
    { done: true, done_reason: 'stop', prompt_eval_count: 12, eval_count: STREAM_TOKENS },
    0,
  );
  return [...records, last].map((each) => Buffer.from(`${JSON.stringify(each)}\n`));
}

export function openaiReads() {
  const chunk = (delta, reason = null) => ({
    id: 'chatcmpl-0123456789',
    object: 'chat.completion.chunk',
    created: 1767225600,
    model: MODEL,
    system_fingerprint: 'fp_0123456789',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
  });
  const chunks = [chunk({ role: 'assistant', content: '' }), ...TOKENS.map((content) => chunk({ content }))];
  const events = [...chunks, chunk({}, 'stop')].map((each) => JSON.stringify(each));
  return [...events, '[DONE]'].map((event) => Buffer.from(`data: ${event}\n\n`));
}
