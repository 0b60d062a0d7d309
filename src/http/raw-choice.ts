/** Where a raw request may go: to who has the model that it names, else to the default backend. */

import type { Request } from 'express';
import type { Client } from '../core/client.ts';
import { GatewayError } from '../core/errors.ts';
import type { BackendStatus, KindName, Target } from '../core/fleet.ts';
import { clientOf } from './authenticate.ts';
import { checkContentType, isJson, toText } from './body.ts';
import type { RequestContext } from './context.ts';
import type { Generation, PassthroughSettings } from './generation.ts';
import { checkModelsOfPath, checkNamedModels } from './named-models.ts';
import { hasBody, peekBody } from './peek.ts';
import { invalidUrl, peekModel, toUpstreamPath } from './raw-message.ts';

export interface RawChoice {
  readonly targets: readonly Target[];
  /** Of the model, for log and metrics. */
  readonly label: string;
  /** As the client named it. */
  readonly model: string | undefined;
  /** The body, if it was read. */
  readonly json: string | undefined;
  /** Below the backend's base path, with the query. */
  readonly pathOf: (upstreamModel: string) => string;
  /** The methods that the gateway itself has for the path. */
  readonly allow?: string;
}

/** Rejects with GatewayError when nobody may get it. */
export type Choose = (
  req: Request,
  context: RequestContext,
  /** Of the backends at the moment of the call. */
  status: () => readonly BackendStatus[],
) => Promise<RawChoice>;

/** Who takes what names no model when the operator names nobody, in this order; they have all endpoints. */
const DEFAULT_KINDS: readonly KindName[] = ['openai', 'vllm'];

/** What `GET /v1/models/{id}` allows. */
const READ_ONLY = 'GET, HEAD';

/** JSON tells its model; everything else goes to the default backend unread. */
export const chooseByBody: Choose = async (req, context, status) => {
  const { catalog, bodyLimitBytes, passthrough } = context.generation;
  const path = toUpstreamPath(req.method, req.originalUrl);
  const pathOf = (): string => path;
  const client = clientOf(context);
  checkModelsOfPath(path, client, catalog);
  const json = await readJson(req, bodyLimitBytes);
  const model = json === undefined || json === '' ? undefined : peekModel(json);
  if (json === undefined || model === undefined) {
    checkUnrestricted(client);
    const targets = [defaultTarget(req, path, status(), passthrough)];
    return { targets, label: 'other', model, json, pathOf };
  }
  checkNamedModels(json, client, catalog, true);
  const { targets, label } = resolve(catalog, model, client);
  const able = targets.filter(({ backend }) => backend.kind !== 'ollama');
  if (able.length === 0) throw noBackend(req, `has the model \`${model.slice(0, 200)}\``);
  return { targets: able, label, model, json, pathOf };
};

/** For DELETE of a model: what the backend makes of it is its own. */
export const chooseByName: Choose = (req, context) => {
  const model = [req.params.id].flat().join('/');
  const { targets, label } = resolve(context.generation.catalog, model, clientOf(context));
  const able = targets.filter((target) => target.model && DEFAULT_KINDS.includes(target.backend.kind));
  if (able.length === 0 && label === 'other') throw modelNotFound(model);
  if (able.length === 0) {
    throw new GatewayError('method_not_supported', {
      message: `The backends of the model \`${model.slice(0, 200)}\` do not delete models by this API.`,
      headers: { allow: READ_ONLY },
    });
  }
  const pathOf = (name: string): string => `/models/${encodeURIComponent(name).replaceAll('%3A', ':')}`;
  return Promise.resolve({ targets: able, label, model, json: undefined, pathOf, allow: READ_ONLY });
};

/** Ollama backends are asked for models that nobody lists; what is passed on raw they never get. */
function resolve(
  catalog: Generation['catalog'],
  model: string,
  client: Client,
): { targets: readonly Target[]; label: string } {
  const { targets, label } = catalog.resolve(model, client);
  const isKnown = label !== 'other' || targets.some(({ backend }) => backend.kind !== 'ollama');
  if (!isKnown) throw modelNotFound(model);
  return { targets, label };
}

function modelNotFound(model: string): GatewayError {
  return new GatewayError('model_not_found', {
    message: `The model \`${model.slice(0, 200)}\` does not exist or you do not have access to it.`,
  });
}

/** undefined for what is no JSON, or more of it than is looked into: that is left to be streamed. */
async function readJson(req: Request, limitBytes: number): Promise<string | undefined> {
  const { 'content-encoding': encoding = 'identity' } = req.headers;
  if (!isJson(req) || encoding !== 'identity' || !hasBody(req)) return undefined;
  checkContentType(req);
  const bytes = await peekBody(req, limitBytes);
  return bytes && toText(bytes);
}

/** What cannot be looked into may ask for any model. */
function checkUnrestricted({ models }: Client): void {
  if (models === undefined) return;
  throw new GatewayError('permission_denied', {
    message:
      'This API key is for certain models only, and the gateway cannot see which one this request asks for.',
  });
}

function defaultTarget(
  req: Request,
  path: string,
  status: readonly BackendStatus[],
  settings: PassthroughSettings,
): Target {
  const able = defaultBackends(path, status, settings);
  // When none seems well, the first is asked all the same: it may be back before its probe.
  const chosen =
    able.find(({ isUp, circuit, isDrained }) => isUp && circuit === 'closed' && !isDrained) ?? able[0];
  if (!chosen) throw noBackend(req, 'is configured for it');
  return {
    backend: chosen.backend,
    upstreamModel: '',
    model: undefined,
    serverVersion: '',
    options: {},
    requestOptions: [],
    completionTemplate: false,
  };
}

/** The operator's choice; several, where each address of its host is one. */
function defaultBackends(
  path: string,
  status: readonly BackendStatus[],
  { backend: name, paths }: PassthroughSettings,
): readonly BackendStatus[] {
  const [ownPath = ''] = `/v1${path}`.split('?', 1);
  const [longest] = Object.keys(paths)
    .filter((prefix) => ownPath === prefix || ownPath.startsWith(`${prefix}/`))
    .sort((a, b) => b.length - a.length);
  const wanted = longest === undefined ? name : paths[longest];
  return wanted === undefined
    ? DEFAULT_KINDS.flatMap((kind) =>
        status.filter(({ backend }) => backend.kind === kind && backend.weight > 0),
      )
    : status.filter(({ backend }) => backend.name === wanted || backend.group === wanted);
}

function noBackend({ method, originalUrl }: Request, lacking: string): GatewayError {
  return invalidUrl(method, originalUrl, `: no backend of kind openai or vllm ${lacking}.`);
}
