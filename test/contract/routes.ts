/** The routes of an Express app, in OpenAPI's notation. */

import type { Express } from 'express';

interface Layer {
  readonly route?: {
    readonly path: string;
    readonly stack: readonly { readonly method?: string }[];
  };
}

/** `GET /v1/models/{id}` for each method of each route. Middleware, which serves nothing, is left out. */
export function routesOf(app: Express): string[] {
  const layers = app.router.stack as readonly Layer[];
  return layers.flatMap(({ route }) =>
    (route?.stack ?? []).flatMap(({ method }) =>
      method === undefined ? [] : `${method.toUpperCase()} ${toTemplate(route?.path ?? '')}`,
    ),
  );
}

/** Express writes a parameter `:id`, and `*id` where it may hold slashes. */
function toTemplate(path: string): string {
  return path.replace(/[:*](\w+)/g, '{$1}');
}
