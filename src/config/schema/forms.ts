/** How numbers, times and sizes are written in a configuration. */

import * as z from 'zod';

export const whole = (low: number, high: number) => z.int().min(low).max(high);

export const DAY_MS = 86_400_000;

const TIME = /^(\d{1,12}(?:\.\d{1,3})?)\s*(ms|s|m|h)$/;
const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Whole milliseconds, or a text such as 250ms, 1.5s, 10m, 1h. */
export const milliseconds = (low: number, high: number) =>
  z
    .union([z.number(), z.string().regex(TIME)], {
      error: 'expected a number of milliseconds, or a time such as 1.5s or 10m',
    })
    .transform((time) => {
      if (typeof time === 'number') return time;
      const [, amount = '', unit = 'ms'] = TIME.exec(time) ?? [];
      return Math.round(Number(amount) * (MS[unit] ?? 1));
    })
    .pipe(whole(low, high));

/** 0 turns the limit off. */
export const limitMs = milliseconds(0, DAY_MS);

const SIZE = /^(\d{1,12})\s*(b|kb|mb|gb)?$/i;
const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** A whole number of bytes, or a text such as 512kb, 32mb, 1gb (powers of 1024). */
export const bytes = z
  .union([whole(1, 2 ** 40), z.string().regex(SIZE)], {
    error: 'expected a number of bytes, or a size such as 512kb or 32mb',
  })
  .transform((size) => {
    if (typeof size === 'number') return size;
    const [, digits = '', unit = 'b'] = SIZE.exec(size) ?? [];
    return Number(digits) * (UNITS[unit.toLowerCase()] ?? 1);
  });
