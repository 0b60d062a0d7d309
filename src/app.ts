/** The data path as a list of lines, in the order in which a request meets them. */

import express, { type Express } from 'express';
import type { SurfaceContext } from './core/operation.ts';
import type { Keyring, Logger, Meter, Now } from './core/exchange.ts';
import type { BackendStatus, Catalog, Pool } from './core/fleet.ts';
import type { Dispatch } from './gateway/dispatch.ts';
import type { Watch } from './gateway/watch.ts';
import { authenticate } from './http/authenticate.ts';
import { context } from './http/context.ts';
import { crossOrigin } from './http/cors.ts';
import { errors, methodNotAllowed, notFound } from './http/errors.ts';
import { inference } from './http/inference.ts';
import { listModels, showModel } from './http/models.ts';
import { live, metricsPage, openapiDocument, ready } from './http/ops.ts';
import { authenticateAdmin, cancelStream, listStreams, type StreamsDeps } from './http/streams.ts';
import { passthrough, type PassthroughDeps } from './http/passthrough.ts';
import { openaiChat } from './surfaces/openai-chat/index.ts';
import { openaiCompletions } from './surfaces/openai-completions/index.ts';
import { openaiEmbeddings } from './surfaces/openai-embeddings/index.ts';

export interface AppDeps {
  readonly catalog: Catalog;
  readonly pool: Pool;
  readonly kinds: PassthroughDeps['kinds'];
  readonly watch: Watch;
  readonly dispatch: Dispatch;
  readonly keyring: Keyring;
  /** undefined: the operator has no key, and no endpoints. */
  readonly adminKeyring: Keyring | undefined;
  readonly streamTotals: StreamsDeps['streamTotals'];
  readonly logger: Logger;
  readonly meter: Meter;
  readonly now: Now;
  readonly newId: () => string;
  readonly status: () => readonly BackendStatus[];
  readonly isDraining: () => boolean;
  readonly readOpenapi: () => Promise<string>;
  /** undefined: metrics are off. */
  readonly metrics:
    { readonly path: string; render(): Promise<{ contentType: string; body: string }> } | undefined;
  readonly bodyLimitBytes: number;
  readonly surfaces: SurfaceContext;
  readonly isStrict: boolean;
  readonly corsOrigins: readonly string[];
}

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');

  app.use(context(deps));
  if (deps.corsOrigins.length > 0) app.use(crossOrigin(deps.corsOrigins));

  const postOnly = methodNotAllowed('POST');
  const getOnly = methodNotAllowed('GET', 'HEAD');
  const entrance = authenticate(deps.keyring);

  app.route('/v1/chat/completions').all(entrance).post(inference(openaiChat, deps)).all(postOnly);
  app.route('/v1/completions').all(entrance).post(inference(openaiCompletions, deps)).all(postOnly);
  app.route('/v1/embeddings').all(entrance).post(inference(openaiEmbeddings, deps)).all(postOnly);
  app.route('/v1/models').all(entrance).get(listModels(deps.catalog)).all(getOnly);
  app.route('/v1/models/*id').all(entrance).get(showModel(deps.catalog)).all(getOnly);
  app.route('/v1/*path').all(entrance, passthrough(deps));

  const operator = authenticateAdmin(deps.adminKeyring);
  const streams = { ...deps, active: deps.dispatch.active };
  app.route('/api/chat/streams').all(operator).get(listStreams(streams)).all(getOnly);
  app
    .route('/api/chat/:requestId')
    .all(operator)
    .delete(cancelStream(streams))
    .all(methodNotAllowed('DELETE'));

  for (const path of ['/health', '/healthz', '/livez']) app.route(path).get(live).all(getOnly);
  app.route('/readyz').get(ready(deps.isDraining, deps.status)).all(getOnly);
  app.route('/openapi.yaml').get(openapiDocument(deps.readOpenapi)).all(getOnly);
  if (deps.metrics) app.route(deps.metrics.path).get(metricsPage(deps.metrics.render)).all(getOnly);

  app.use(notFound);
  app.use(errors(openaiChat, deps.logger));
  return app;
}
