/** The data path as a list of lines, in the order in which a request meets them. */

import express, { type Express } from 'express';
import { addAdminRoutes, type AdminDeps } from './admin-routes.ts';
import type { Logger, Meter, Now } from './core/exchange.ts';
import type { BackendStatus, Pool } from './core/fleet.ts';
import type { Tracer } from './core/tracing.ts';
import { authenticate } from './http/authenticate.ts';
import { browserHeaders } from './http/browser-headers.ts';
import { context } from './http/context.ts';
import { crossOrigin } from './http/cors.ts';
import { closeConnections, refuseNewWork, type Phase } from './http/draining.ts';
import { errors, methodNotAllowed, notFound } from './http/errors.ts';
import type { Generation } from './http/generation.ts';
import { checkHead } from './http/head.ts';
import { inference } from './http/inference.ts';
import { listModels, showModel } from './http/models.ts';
import { live, metricsPage, openapiDocument, ready } from './http/ops.ts';
import { passthrough, type PassthroughDeps } from './http/passthrough.ts';
import { chooseByName } from './http/raw-choice.ts';
import { awaitBackends } from './http/searching.ts';
import { openaiChat } from './surfaces/openai-chat/index.ts';
import { openaiCompletions } from './surfaces/openai-completions/index.ts';
import { openaiEmbeddings } from './surfaces/openai-embeddings/index.ts';

export interface AppDeps extends PassthroughDeps, AdminDeps {
  /** What requests that begin now live by. */
  readonly current: () => Generation;
  readonly pool: Pool;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly now: Now;
  readonly newId: () => string;
  readonly status: () => readonly BackendStatus[];
  readonly phase: () => Phase;
  /** Model servers are looked for; undefined when the backends are known. */
  readonly search: () => Promise<void> | undefined;
  readonly readOpenapi: () => Promise<string>;
  /** undefined: metrics are off. */
  readonly metrics:
    { readonly path: string; render(): Promise<{ contentType: string; body: string }> } | undefined;
}

/** `isOperatorApart`: the operator has an app of his own, on another port. */
export function createApp(deps: AppDeps, isOperatorApart = false): Express {
  const app = createBareApp(deps);
  app.use(crossOrigin());

  const postOnly = methodNotAllowed('POST');
  const getOnly = methodNotAllowed('GET', 'HEAD');
  const entrance = [authenticate, awaitBackends(deps.search), refuseNewWork(deps.phase)];
  const { meter } = deps;

  app.route('/v1/chat/completions').all(entrance).post(inference(openaiChat, meter)).all(postOnly);
  app.route('/v1/completions').all(entrance).post(inference(openaiCompletions, meter)).all(postOnly);
  app.route('/v1/embeddings').all(entrance).post(inference(openaiEmbeddings, meter)).all(postOnly);
  app.route('/v1/models').all(entrance).get(listModels).all(getOnly);
  app
    .route('/v1/models/*id')
    .all(entrance)
    .get(showModel)
    .delete(passthrough(deps, chooseByName))
    .all(methodNotAllowed('GET', 'HEAD', 'DELETE'));
  app.route('/v1/*path').all(entrance, passthrough(deps));

  if (!isOperatorApart) addOperatorRoutes(app, deps);
  return finish(app, deps);
}

/** What clients have no business with, where it has a port of its own. */
export function createAdminApp(deps: AppDeps): Express {
  const app = createBareApp(deps);
  addOperatorRoutes(app, deps);
  return finish(app, deps);
}

function createBareApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(context(deps));
  app.use(browserHeaders());
  app.use(checkHead);
  app.use(closeConnections(deps.phase));
  return app;
}

function addOperatorRoutes(app: Express, deps: AppDeps): void {
  const { metrics } = deps;
  addAdminRoutes(app, deps);
  if (!metrics) return;
  app.route(metrics.path).get(metricsPage(metrics.render)).all(methodNotAllowed('GET', 'HEAD'));
}

/** What every port answers, and what becomes of everything else. */
function finish(app: Express, deps: AppDeps): Express {
  const getOnly = methodNotAllowed('GET', 'HEAD');
  for (const path of ['/health', '/healthz', '/livez']) app.route(path).get(live).all(getOnly);
  app.route('/readyz').get(ready(deps.phase, deps.status)).all(getOnly);
  app.route('/openapi.yaml').get(openapiDocument(deps.readOpenapi)).all(getOnly);
  app.use(notFound);
  app.use(errors(openaiChat, deps.logger));
  return app;
}
