/** POST /admin/route/explain: how a request would fare, without sending anything. */

import type { RequestHandler } from 'express';
import type { Operation, Surface } from '../../core/operation.ts';
import type { ExplainedCandidate, Explanation } from '../../core/operator.ts';
import type { Score } from '../../core/outlook.ts';
import { readBody } from '../body.ts';
import { contextOf } from '../context.ts';
import { toAnswer as toBackend } from './backends.ts';
import { toErrorAnswer } from './errors.ts';

export interface ExplainDeps {
  readonly explain: (asked: Operation | { readonly model: string }) => Explanation;
  /** undefined: it is a chat. */
  readonly readModelOnly: (json: string) => { readonly model: string } | undefined;
  readonly chat: Pick<Surface, 'toOperation'>;
  /** Which process says so: each chooses by what it knows itself. */
  readonly pid: number;
}

export function explainRoute({ explain, readModelOnly, chat, pid }: ExplainDeps): RequestHandler {
  return async (req, res) => {
    const { bodyLimitBytes, surfaces, isStrict } = contextOf(res).generation;
    const json = await readBody(req, bodyLimitBytes);
    const told = explain(readModelOnly(json) ?? chat.toOperation(json, { ...surfaces, isStrict }));
    const { model, label, type = null, candidates, refusal } = told;
    res.json({
      pid,
      model,
      label,
      type,
      decision: refusal ? 'refused' : candidates.some(({ isBest }) => isBest) ? 'chosen' : 'queued',
      chosen: candidates.filter(({ isBest }) => isBest).map(({ target }) => target.backend.name),
      error: refusal ? toErrorAnswer(refusal) : null,
      candidates: candidates.map(toAnswer),
    });
  };
}

function toAnswer(candidate: ExplainedCandidate): object {
  const { target, view, score, obstacle, isLastResort, isWaitedFor, isResident, ignoredParams } = candidate;
  return {
    backend: target.backend.name,
    model: target.upstreamModel,
    listed: target.model !== undefined,
    resident: isResident ?? null,
    rejected: isLastResort ? null : (obstacle ?? null),
    lastResort: isLastResort ? (obstacle ?? null) : null,
    queued: isWaitedFor,
    score: score ? toScore(score) : null,
    ignoredParams,
    state: toBackend(view),
  };
}

function toScore({ value, weight, successRate, latencySeconds, isLatencyKnown, inFlight }: Score): object {
  return { value, weight, successRate, latencySeconds, latencyKnown: isLatencyKnown, inFlight };
}
