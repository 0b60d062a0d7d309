/**
 * Questions that all workers must answer: whichever is asked by a client asks the primary, which puts
 * the question to all and gives the answers back.
 */

import cluster, { type Worker } from 'node:cluster';
import { GatewayError } from '../core/errors.ts';
import type { Logger } from '../core/exchange.ts';
import type { Ask, AskAll } from '../core/workers.ts';

interface Question {
  readonly topic: string;
  readonly body: unknown;
}

/** What worker and primary say to each other. */
type Message =
  /** Worker to primary: from now on it hears what is said; what was said to stay? */
  | { readonly question: 'joined' }
  /** Primary to worker: that was all. */
  | { readonly question: 'welcome' }
  /** Worker to primary: ask everybody. */
  | (Question & { readonly question: 'asked'; readonly id: number; readonly standing?: string | undefined })
  /** Primary to worker. */
  | (Question & { readonly question: 'put'; readonly id: number })
  /** Worker to primary. */
  | { readonly question: 'answered'; readonly id: number; readonly answer: Answer }
  /** Primary to the worker that asked. */
  | { readonly question: 'told'; readonly id: number; readonly answers: readonly Answer[] };

type Answer = { readonly isKnown: true; readonly body: unknown } | { readonly isKnown: false };

/** A worker whose event loop is held up longer than this has other troubles. */
const ANSWER_MS = 5000;
/** Of a standing question, which nobody waits for. */
const NOBODY = -1;

/** One question on its way round. */
interface Round {
  readonly missing: Set<Worker>;
  readonly answers: Answer[];
  tell(answers: readonly Answer[]): void;
}

/** For the primary. */
export function relayQuestions(): void {
  /** Those who hear: what is sent to a process that still starts is lost. */
  const joined = new Set<Worker>();
  const listening = new Set<Worker>();
  const rounds = new Map<number, Round>();
  const standing = new Map<string, Question>();
  let nextId = 0;

  function start(asker: Worker, askersId: number, { topic, body }: Question): void {
    const id = nextId++;
    // One that still starts holds nobody up. Who asks serves, even if its port was not heard of yet.
    const missing = new Set([...listening, asker]);
    rounds.set(id, {
      missing,
      answers: [],
      tell(answers) {
        rounds.delete(id);
        send(asker, { question: 'told', id: askersId, answers });
      },
    });
    for (const worker of missing) send(worker, { question: 'put', id, topic, body });
    // Who asked gives up by then, and nobody else wants it.
    setTimeout(() => rounds.delete(id), ANSWER_MS).unref();
  }

  /** The round is over when the last worker has answered, or is gone. */
  function strike(round: Round, worker: Worker): void {
    if (round.missing.delete(worker) && round.missing.size === 0) round.tell(round.answers);
  }

  cluster.on('listening', (worker) => {
    listening.add(worker);
  });
  cluster.on('exit', (worker) => {
    listening.delete(worker);
    joined.delete(worker);
    for (const round of rounds.values()) strike(round, worker);
  });
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (!isMessage(message)) return;
    if (message.question === 'joined') {
      joined.add(worker);
      for (const question of standing.values()) send(worker, { question: 'put', id: NOBODY, ...question });
      send(worker, { question: 'welcome' });
    } else if (message.question === 'asked') {
      const { id, topic, body } = message;
      if (message.standing !== undefined) keepStanding(message.standing, { topic, body });
      start(worker, id, { topic, body });
    } else if (message.question === 'answered') {
      const round = rounds.get(message.id);
      round?.answers.push(message.answer);
      if (round) strike(round, worker);
    }
  });

  /** Those who do not serve yet hear of it now; the others are asked anyway. */
  function keepStanding(name: string, question: Question): void {
    standing.set(name, question);
    for (const worker of joined) {
      if (!listening.has(worker)) send(worker, { question: 'put', id: NOBODY, ...question });
    }
  }
}

export interface Workers {
  readonly askAll: AskAll;
  /** Resolves when this process has heard all that was said to stay; to be awaited before it serves. */
  join(): Promise<void>;
}

/** For a worker. */
export function joinWorkers(logger: Logger): Workers {
  let welcome = (): void => undefined;
  const waiting = new Map<number, (answers: readonly Answer[]) => void>();
  const topics = new Map<string, (question: never) => unknown>();
  let nextId = 0;

  async function answer({ topic, body }: Question): Promise<Answer> {
    try {
      const known = topics.get(topic);
      return known ? { isKnown: true, body: await known(body as never) } : { isKnown: false };
    } catch (error) {
      logger.error('a question of another worker could not be answered', { topic, error });
      return { isKnown: false };
    }
  }

  process.on('message', (message: unknown) => {
    if (!isMessage(message)) return;
    if (message.question === 'welcome') welcome();
    if (message.question === 'told') waiting.get(message.id)?.(message.answers);
    if (message.question !== 'put') return;
    const { id } = message;
    void answer(message).then((given) => {
      if (id !== NOBODY) tellPrimary({ question: 'answered', id, answer: given });
    });
  });

  function ask(question: Question, standing: string | undefined): Promise<readonly Answer[]> {
    return new Promise((resolve, reject) => {
      const id = nextId++;
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(noAnswer('did not all answer in time'));
      }, ANSWER_MS);
      waiting.set(id, (answers) => {
        waiting.delete(id);
        clearTimeout(timer);
        resolve(answers);
      });
      tellPrimary({ question: 'asked', id, standing, ...question });
    });
  }

  return {
    askAll(topic, answerOfOne) {
      topics.set(topic, answerOfOne);
      return async (body, standing) => {
        const answers = await ask({ topic, body }, standing);
        return answers.map((each) => {
          if (!each.isKnown) throw noAnswer('could not all answer');
          return each.body as Awaited<ReturnType<typeof answerOfOne>>;
        });
      };
    },
    join: () =>
      new Promise((resolve) => {
        welcome = resolve;
        tellPrimary({ question: 'joined' });
      }),
  };
}

/** Where there is one process only. */
export const alone: Workers = {
  askAll:
    <Question, Answer>(
      _topic: string,
      answer: (question: Question) => Answer | Promise<Answer>,
    ): Ask<Question, Answer> =>
    async (question) => [await answer(question)],
  join: () => Promise.resolve(),
};

function tellPrimary(message: Message): void {
  process.send?.(message);
}

function send(worker: Worker, message: Message): void {
  // One that has just died has nothing to tell.
  if (worker.isConnected()) worker.send(message, () => undefined);
}

function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'question' in message;
}

function noAnswer(what: string): GatewayError {
  return new GatewayError('internal_error', { message: `The workers of the gateway ${what}. Try again.` });
}
