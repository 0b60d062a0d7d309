/** The headers of W3C Trace Context: which of them are well-formed, and what they say. */

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface TraceContext {
  /** As they came, to be passed on. */
  readonly traceparent: string;
  /** '' when there is none, or none that is well-formed. */
  readonly tracestate: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly parentId: string;
  readonly flags: number;
}

const TRACEPARENT =
  /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-[\x20-\x7e]{0,200})?$/;
/** One entry of tracestate; tenants are keys with an `@`. */
const MEMBER =
  /^[a-z\d][a-z\d_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const MAX_MEMBERS = 32;
/** What everybody must be able to pass on. */
const MAX_STATE_CHARACTERS = 512;

/** undefined when there is no traceparent, or one that says nothing. */
export function readTraceContext({ traceparent, tracestate }: Headers): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const [, version, traceId = '', parentId = '', flags = '', more] = TRACEPARENT.exec(traceparent) ?? [];
  // Later versions may say more, the first one may not.
  if (version === undefined || (version === '00' && more !== undefined)) return undefined;
  return {
    traceparent,
    tracestate: typeof tracestate === 'string' ? checkState(tracestate) : '',
    traceId,
    parentId,
    flags: Number.parseInt(flags, 16),
  };
}

/** A list that is broken somewhere is dropped as a whole, and the trace goes on without it. */
function checkState(text: string): string {
  if (text.length > MAX_STATE_CHARACTERS) return '';
  const members = text
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  return members.length <= MAX_MEMBERS && members.every((member) => MEMBER.test(member))
    ? members.join(',')
    : '';
}

/** Headers for the next server. */
export function printTraceContext(
  traceId: string,
  spanId: string,
  flags: number,
  tracestate: string,
): Record<string, string> {
  const traceparent = `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`;
  return { traceparent, ...(tracestate !== '' && { tracestate }) };
}
