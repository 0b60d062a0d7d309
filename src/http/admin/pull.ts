/** POST /admin/models/{name}/pull: backends fetch a model, and the operator sees how far they are. */

import type { RequestHandler, Response } from 'express';
import { GatewayError, toGatewayError } from '../../core/errors.ts';
import type { ModelsDesk, PullListener } from '../../core/operator.ts';
import { readOptionalBody } from '../body.ts';
import { leaving } from '../leaving.ts';
import { toErrorAnswer } from './errors.ts';
import { noteSubject } from './subject.ts';
import { MAX_BODY_BYTES, nameOf, toResults, type ModelParams, type Read } from './models.ts';

const NDJSON = 'application/x-ndjson';
const EVENTS = 'text/event-stream';

interface PullBody {
  readonly backend: string | undefined;
  readonly isInsecure: boolean;
}

/** Until a backend tells of progress, a failure of all has a status of its own. */
export function pullModel(desk: Pick<ModelsDesk, 'pull'>, read: Read<PullBody>): RequestHandler<ModelParams> {
  return async (req, res) => {
    const model = noteSubject(res, nameOf(req.params));
    const { backend, isInsecure } = read(await readOptionalBody(req, MAX_BODY_BYTES));
    const lines = createLines(res, req.accepts([NDJSON, EVENTS]) === EVENTS);
    const results = await desk.pull({ model, backend }, isInsecure, listenerOf(lines), leaving(res));
    const failures = results.flatMap(({ error }) => error ?? []);
    if (failures[0] && failures.length === results.length && !lines.hasBegun()) throw failures[0];
    // The last line: an end without it is none.
    lines.end({ done: true, model, results: toResults(results, 'pulled') });
  };
}

interface Lines {
  hasBegun(): boolean;
  /** False: the client reads slower. */
  write(line: object): boolean;
  onceDrained(resume: () => void): void;
  end(line: object): void;
}

function createLines(res: Response, isEvents: boolean): Lines {
  const frame = (line: object): string =>
    isEvents ? `data: ${JSON.stringify(line)}\n\n` : `${JSON.stringify(line)}\n`;

  function begin(): void {
    if (res.headersSent) return;
    res.writeHead(200, {
      'content-type': isEvents ? `${EVENTS}; charset=utf-8` : `${NDJSON}; charset=utf-8`,
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
  }

  return {
    hasBegun: () => res.headersSent,
    write(line) {
      if (res.destroyed) return true;
      begin();
      return res.write(frame(line));
    },
    onceDrained(resume) {
      res.once('drain', resume);
    },
    end(line) {
      if (res.destroyed) return;
      begin();
      res.end(frame(line));
    },
  };
}

/** Failures before the first progress wait: it may be that there is nothing else to tell. */
function listenerOf(lines: Lines): PullListener {
  const early: object[] = [];
  return {
    tell(backend, news) {
      const line = toLine(backend, news);
      if (news instanceof GatewayError && !lines.hasBegun()) {
        early.push(line);
        return true;
      }
      for (const before of early.splice(0)) lines.write(before);
      return lines.write(line);
    },
    onceDrained: lines.onceDrained,
  };
}

function toLine(backend: string, news: Parameters<PullListener['tell']>[1]): object {
  if (news instanceof GatewayError) return { backend, error: toErrorAnswer(toGatewayError(news)) };
  const { status, digest, totalBytes, completedBytes } = news;
  return { backend, status, digest, totalBytes, completedBytes };
}
