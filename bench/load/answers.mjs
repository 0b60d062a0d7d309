// Is an answer complete, in order and properly ended? One checker for each format.

import { ageOfToken, BLANK_TOKEN, isToken, readPlace } from '../protocol/token.mjs';

/**
 * @typedef {object} Answer
 * @property {(text: string, now: number) => void} push one character per byte; `now` in microseconds
 * @property {() => string | undefined} end what was wrong with the answer, if anything was
 */

/** Server-sent events of chat.completion.chunk, ended by [DONE]. */
export function createEventAnswer(tokens, onToken) {
  return createStreamAnswer('\n\n', tokens, onToken, (event) => {
    if (event.startsWith(':')) return {};
    if (!event.startsWith('data: ')) return { fault: 'an event without data' };
    if (event === 'data: [DONE]') return { isDone: true };
    const chunk = JSON.parse(event.slice('data: '.length));
    if (chunk.error) return { fault: `error event: ${chunk.error.code ?? chunk.error.message}` };
    return { content: chunk.choices[0]?.delta.content, reason: chunk.choices[0]?.finish_reason };
  });
}

/** Ollama's records, ended by one that is done. */
export function createRecordAnswer(tokens, onToken) {
  return createStreamAnswer('\n', tokens, onToken, (line) => {
    const { error, message, done, done_reason: reason } = JSON.parse(line);
    if (error) return { fault: `error record: ${error}` };
    return { content: message.content, isDone: done, reason };
  });
}

/** One JSON document of either format, whose text is all the tokens. */
export function createWholeAnswer(tokens) {
  let body = '';
  return {
    push(text) {
      body += text;
    },
    end() {
      try {
        const { choices, message = choices[0].message } = JSON.parse(body);
        return message.content.length === tokens * BLANK_TOKEN.length ? undefined : 'another text';
      } catch {
        return 'no answer in JSON';
      }
    },
  };
}

/**
 * Within a stream one token's text stands where the last one's stood, so it is parsed once, and
 * every further token is compared with what stood around it.
 * @param {(ageMicroseconds: number, isFirst: boolean) => void} onToken
 * @param {(text: string) => { content?: string, isDone?: boolean, reason?: string, fault?: string }} parse
 * @returns {Answer}
 */
function createStreamAnswer(separator, tokens, onToken, parse) {
  let rest = '';
  let before;
  let after;
  let next = 0;
  let isDone = false;
  let hasReason = false;
  let fault;
  /** Microseconds at which the text that is being taken was read. */
  let readAt = 0;

  function takeToken(text, at, end) {
    if (before === undefined || end - at !== before.length + BLANK_TOKEN.length + after.length) return false;
    const tokenAt = at + before.length;
    if (!text.startsWith(before, at) || !text.startsWith(after, tokenAt + BLANK_TOKEN.length)) return false;
    takePlace(text, tokenAt);
    return true;
  }

  function takePlace(text, tokenAt) {
    if (readPlace(text, tokenAt) !== next) fault ??= 'tokens out of order';
    onToken(ageOfToken(text, tokenAt, readAt), next === 0);
    next++;
  }

  function takeOther(text) {
    if (isDone) fault ??= 'something after the end';
    const parsed = parse(text);
    fault ??= parsed.fault;
    if (parsed.isDone) isDone = true;
    if (parsed.reason) hasReason = true;
    if (!parsed.content) return;
    if (isToken(parsed.content)) {
      const tokenAt = text.indexOf(parsed.content);
      before = text.slice(0, tokenAt);
      after = text.slice(tokenAt + BLANK_TOKEN.length);
      takePlace(text, tokenAt);
    } else {
      fault ??= 'a text that no backend said';
    }
  }

  return {
    push(text, now) {
      readAt = now;
      const input = rest + text;
      let at = 0;
      for (let end = input.indexOf(separator); end >= 0; end = input.indexOf(separator, at)) {
        if (!takeToken(input, at, end)) takeOther(input.slice(at, end));
        at = end + separator.length;
      }
      rest = input.slice(at);
    },
    end() {
      if (fault) return fault;
      if (rest !== '') return 'half an event at the end';
      if (next !== tokens) return 'tokens missing';
      if (!hasReason) return 'no finish reason';
      return isDone ? undefined : 'no end mark';
    },
  };
}
