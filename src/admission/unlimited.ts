/** Admission where no limit is set. */

import type { Admission, Permit } from '../core/client.ts';

const PERMIT: Permit = { headers: {}, settle: () => undefined };

export const unlimited: Admission = { admit: () => PERMIT };
