/** How much of a soak there is to be: `SOAK_SHARE=0.1` makes it a tenth, for who only wants to see it run. */

const SHARE = Number(process.env.SOAK_SHARE ?? 1);

export function sized(count: number): number {
  return Math.ceil(count * SHARE);
}
