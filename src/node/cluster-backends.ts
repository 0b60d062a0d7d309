/** What the primary found in place of a configuration, told to its workers, which serve meanwhile. */

import cluster from 'node:cluster';

interface News {
  readonly foundBackends: string;
}

export function tellBackends(text: string): void {
  const news: News = { foundBackends: text };
  // Who does not listen yet hears it when it does; one that has just died needs nothing.
  for (const worker of Object.values(cluster.workers ?? {})) worker?.send(news, () => undefined);
}

export function hearBackends(): Promise<string> {
  return new Promise((resolve) => {
    process.on('message', (message: Partial<News> | string) => {
      if (typeof message === 'object' && typeof message.foundBackends === 'string')
        resolve(message.foundBackends);
    });
  });
}
