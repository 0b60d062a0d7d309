/** Arrays in request bodies: as long as they may be, and looked at no further than to the first fault. */

import * as z from 'zod';

interface Lengths {
  readonly min?: number;
  readonly max: number;
}

/**
 * In place of z.array, which looks at every item and keeps a complaint about each: a million bad ones
 * would cost seconds and a gigabyte. The items come through as they are.
 */
export function listOf<T extends z.ZodType>(
  item: T,
  { min = 0, max }: Lengths,
): z.ZodType<readonly z.output<T>[]> {
  return z.custom<readonly z.output<T>[]>().superRefine((input: unknown, context) => {
    if (!Array.isArray(input)) {
      context.addIssue({ code: 'invalid_type', expected: 'array', input });
    } else if (input.length < min) {
      context.addIssue({ code: 'too_small', origin: 'array', minimum: min, input });
    } else if (input.length > max) {
      context.addIssue({ code: 'too_big', origin: 'array', maximum: max, input });
    } else {
      const at = input.findIndex((each) => !z.safeParse(item, each).success);
      if (at >= 0) complainOf(input[at], at, item, context);
    }
  });
}

/** Once more, to hear what is wrong: without that question a check is several times as fast. */
function complainOf(value: unknown, at: number, item: z.ZodType, context: z.core.$RefinementCtx): void {
  const [issue] = z.safeParse(item, value, { reportInput: true }).error?.issues ?? [];
  if (issue) context.addIssue({ ...issue, path: [at, ...issue.path] });
}
