/** What every answer tells browsers: it is data, and no page, script or frame of theirs. */

import type { RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * Of helmet's headers those that mean something for JSON and event streams: `nosniff`, no frames, no
 * referrer, and no use by `<img>` or `<script>` of other sites. Requests with CORS do not come under the
 * last (Fetch, section 3.7), so pages of allowed origins can read answers all the same. Left out is what
 * speaks of documents; Strict-Transport-Security is for who holds the certificate of the public name.
 */
export function browserHeaders(): RequestHandler {
  return helmet({
    xContentTypeOptions: true,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    contentSecurityPolicy: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    strictTransportSecurity: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xPoweredBy: false,
    xXssProtection: false,
  });
}
