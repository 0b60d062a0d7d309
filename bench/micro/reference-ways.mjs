// Two ways in which Ollama's stream is usually turned into OpenAI's, as a measure for ours.

const CREATED = 1767225600;

/** Parses every record, builds the chunk as an object and prints it. Synchronous. */
export function parseAndStringify(reads, send) {
  let rest = '';
  for (const read of reads) {
    const lines = (rest + read.toString()).split('\n');
    rest = lines.pop();
    let out = '';
    for (const line of lines) out += toEvents(JSON.parse(line));
    send(out);
  }
}

/** The same in a chain of web streams: decode, cut into lines, convert, encode. */
export async function transformStreams(reads, send) {
  let rest = '';
  const cut = new TransformStream({
    transform(text, controller) {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) controller.enqueue(line);
    },
  });
  const convert = new TransformStream({
    transform: (line, controller) => controller.enqueue(toEvents(JSON.parse(line))),
  });
  const output = ReadableStream.from(reads)
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(cut)
    .pipeThrough(convert)
    .pipeThrough(new TextEncoderStream());
  for await (const bytes of output) send(bytes);
}

function toEvents({ model, message, done, done_reason: reason }) {
  const chunk = {
    id: 'chatcmpl-0123456789abcdef0123456789abcdef',
    object: 'chat.completion.chunk',
    created: CREATED,
    model,
    system_fingerprint: 'fp_01234567',
    choices: [
      { index: 0, delta: done ? {} : { content: message.content }, finish_reason: done ? reason : null },
    ],
  };
  return `data: ${JSON.stringify(chunk)}\n\n${done ? 'data: [DONE]\n\n' : ''}`;
}
