/** A certificate for this machine that is its own authority, for all who need just one. */

import { issueSelfSigned } from './certificate-authority.ts';

export const { cert: TLS_CERTIFICATE, key: TLS_KEY } = issueSelfSigned({ names: ['localhost', '127.0.0.1'] });
