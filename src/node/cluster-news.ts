/**
 * What the primary knows and its workers need. They ask, because what is said to a worker before it
 * listens is lost, and is not kept for it: Node's own listener takes it.
 */

import cluster, { type Worker } from 'node:cluster';

export type Topic = 'files' | 'backends';

interface Question {
  readonly asked: Topic;
}

interface News {
  readonly news: Topic;
  readonly text: string;
}

/** For the primary. A worker that knows better says so, and those born later are told that. */
export function openNews(): (topic: Topic, text: string) => void {
  const known = new Map<Topic, string>();
  const waiting = new Set<{ readonly worker: Worker; readonly topic: Topic }>();

  function tell(worker: Worker, news: Topic, text: string): void {
    // One that has just died needs nothing.
    if (worker.isConnected()) worker.send({ news, text } satisfies News, () => undefined);
  }

  cluster.on('message', (worker, message: unknown) => {
    if (isNews(message)) known.set(message.news, message.text);
    if (!isQuestion(message)) return;
    const text = known.get(message.asked);
    if (text === undefined) waiting.add({ worker, topic: message.asked });
    else tell(worker, message.asked, text);
  });

  return (topic, text) => {
    known.set(topic, text);
    for (const each of waiting) {
      if (each.topic !== topic) continue;
      waiting.delete(each);
      tell(each.worker, topic, text);
    }
  };
}

/** For a worker: resolves when the primary knows. */
export function askForNews(topic: Topic): Promise<string> {
  return new Promise((resolve) => {
    const hear = (message: unknown): void => {
      if (!isNews(message) || message.news !== topic) return;
      process.off('message', hear);
      resolve(message.text);
    };
    process.on('message', hear);
    process.send?.({ asked: topic } satisfies Question);
  });
}

/** For a worker that knows better. */
export function reportNews(news: Topic, text: string): void {
  process.send?.({ news, text } satisfies News);
}

function isNews(message: unknown): message is News {
  return typeof message === 'object' && message !== null && 'news' in message && 'text' in message;
}

function isQuestion(message: unknown): message is Question {
  return typeof message === 'object' && message !== null && 'asked' in message;
}
