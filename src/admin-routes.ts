/** The operator's endpoints as a list of lines. Each is behind the operator's key: there is no other way to add one. */

import type { Express } from 'express';
import { listBackends, drainBackend } from './http/admin/backends.ts';
import { showConfig } from './http/admin/config.ts';
import { explainRoute } from './http/admin/explain.ts';
import { createKey, listKeys, revokeKey, rotateKey } from './http/admin/keys.ts';
import { listModels, unloadModel, warmModel } from './http/admin/models.ts';
import { pullModel } from './http/admin/pull.ts';
import { reloadConfig, type Reload } from './http/admin/reload.ts';
import { cancelStream, listStreams } from './http/admin/streams.ts';
import { showUsage } from './http/admin/usage.ts';
import { authenticateAdmin } from './http/authenticate.ts';
import { methodNotAllowed } from './http/errors.ts';
import { newKeySchema } from './config/schema/auth.ts';
import type { Operator } from './operator.ts';
import {
  readerOf,
  readLoad,
  readModelOnly,
  readPull,
  readRotation,
  readUnload,
  readUsageQuery,
} from './surfaces/admin/requests.ts';
import { openaiChat } from './surfaces/openai-chat/index.ts';
import { toCsv } from './usage/csv.ts';

export interface AdminDeps {
  readonly operator: Operator;
  readonly reload: Reload;
}

export function addAdminRoutes(app: Express, { operator, reload }: AdminDeps): void {
  const admin = <Path extends string>(path: Path) => app.route(path).all(authenticateAdmin);
  const getOnly = methodNotAllowed('GET', 'HEAD');
  const postOnly = methodNotAllowed('POST');
  const deleteOnly = methodNotAllowed('DELETE');
  const getOrPost = methodNotAllowed('GET', 'HEAD', 'POST');
  const keys = operator.keysDesk(reload);
  const readNewKey = readerOf(newKeySchema);
  const usage = { report: operator.report, read: readUsageQuery, toCsv };
  const explain = { explain: operator.explain, readModelOnly, chat: openaiChat, pid: process.pid };

  admin('/api/chat/streams').get(listStreams(operator)).all(getOnly);
  admin('/api/chat/:requestId').delete(cancelStream(operator)).all(deleteOnly);

  admin('/admin/backends').get(listBackends(operator)).all(getOnly);
  admin('/admin/backends/:name/drain').post(drainBackend(operator, true)).all(postOnly);
  admin('/admin/backends/:name/resume').post(drainBackend(operator, false)).all(postOnly);
  admin('/admin/models').get(listModels(operator.models)).all(getOnly);
  admin('/admin/models/*name/warm').post(warmModel(operator, readLoad)).all(postOnly);
  admin('/admin/models/*name/unload').post(unloadModel(operator, readUnload)).all(postOnly);
  admin('/admin/models/*name/pull').post(pullModel(operator, readPull)).all(postOnly);
  admin('/admin/streams').get(listStreams(operator)).all(getOnly);
  admin('/admin/streams/:requestId').delete(cancelStream(operator)).all(deleteOnly);
  admin('/admin/usage').get(showUsage(usage)).all(getOnly);
  admin('/admin/keys').get(listKeys(keys)).post(createKey(keys, readNewKey)).all(getOrPost);
  admin('/admin/keys/:id').delete(revokeKey(keys)).all(deleteOnly);
  admin('/admin/keys/:id/rotate').post(rotateKey(keys, readRotation)).all(postOnly);
  admin('/admin/config').get(showConfig(operator.describeConfig)).all(getOnly);
  admin('/admin/reload').post(reloadConfig(reload)).all(postOnly);
  admin('/admin/route/explain').post(explainRoute(explain)).all(postOnly);
}
