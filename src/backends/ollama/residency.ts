/** Loading, unloading and fetching models, in the words of Ollama. */

import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { KeepAlive, PullProgress, ResidencyMethods } from '../../core/residency.ts';
import type { ByteText } from '../../core/stream.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { messageFailure } from './failure.ts';
import { isField } from './options.ts';

export const ollamaResidency: ResidencyMethods = { load, unload, pull, readProgress };

/** The server's words are for people; more of them says nothing more. */
const MAX_STATUS_LENGTH = 200;

/**
 * A request without anything to answer loads the model. With the options that the operator fixed:
 * the first request brings them along, and with other ones the model would be loaded anew.
 */
function load(target: Target, keepAlive: KeepAlive): UpstreamRequest {
  const { shift, keep_alive: fixedKeepAlive } = target.options;
  const options = Object.fromEntries(
    Object.entries(target.options).filter(([name]) => name !== 'think' && !isField(name)),
  );
  const members = {
    ...(Object.keys(options).length > 0 && { options }),
    ...(shift !== undefined && { shift }),
    keep_alive: keepAlive ?? fixedKeepAlive,
  };
  // A model that makes vectors only refuses chats, also empty ones.
  return makesVectorsOnly(target)
    ? request('/api/embed', target, { input: [], ...members })
    : request('/api/chat', target, { messages: [], stream: false, ...members });
}

function unload(target: Target): UpstreamRequest {
  return request('/api/chat', target, { messages: [], stream: false, keep_alive: 0 });
}

function request(path: string, { upstreamModel }: Target, members: JsonObject): UpstreamRequest {
  return { method: 'POST', path, body: JSON.stringify({ model: upstreamModel, ...members }) };
}

function makesVectorsOnly({ model }: Target): boolean {
  const capabilities = model?.capabilities ?? [];
  return capabilities.includes('embedding') && !capabilities.includes('completion');
}

function pull(model: string, isInsecure: boolean): UpstreamRequest {
  const body = { model, stream: true, ...(isInsecure && { insecure: true }) };
  return { method: 'POST', path: '/api/pull', body: JSON.stringify(body) };
}

function readProgress(line: ByteText): PullProgress {
  const record = parseJson(decodeUtf8(line));
  if (isJsonObject(record) && typeof record.error === 'string') throw messageFailure(record.error);
  if (!isJsonObject(record) || typeof record.status !== 'string') {
    throw new GatewayError('upstream_invalid_response', {
      message: 'The upstream server sent a line that tells of no progress.',
    });
  }
  const { status, digest, total, completed } = record;
  return {
    status: status.slice(0, MAX_STATUS_LENGTH),
    ...(typeof digest === 'string' && { digest: digest.slice(0, MAX_STATUS_LENGTH) }),
    ...(typeof total === 'number' && { totalBytes: total }),
    ...(typeof completed === 'number' && { completedBytes: completed }),
    isDone: status === 'success',
  };
}
