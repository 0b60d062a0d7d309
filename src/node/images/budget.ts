/** The bytes that all images of one request may have together. */

import { refusal } from './refusal.ts';

export interface ByteBudget {
  /** Throws invalid_image_url when fewer are left. */
  check(bytes: number): void;
  /** Takes them; throws the same. */
  take(bytes: number): void;
}

export function createByteBudget(maxBytes: number): ByteBudget {
  let left = maxBytes;

  function check(bytes: number): void {
    if (bytes <= left) return;
    throw refusal(
      `The images of the request are larger than ${String(maxBytes)} bytes together. Send fewer or smaller ones.`,
    );
  }

  return {
    check,
    take(bytes) {
      check(bytes);
      left -= bytes;
    },
  };
}
