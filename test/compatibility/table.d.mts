/** Types of table.mjs for its test. */

export interface Claim {
  readonly feature: string;
  readonly kind: string;
  readonly word: string;
  readonly file: string;
  readonly test: string;
}

export type Results = readonly {
  readonly testFilePath: string;
  readonly testResults: readonly { readonly fullName: string; readonly status: string }[];
}[];

export function provedBy(claims: readonly Claim[], results: Results): Claim[];
export function toRows(
  features: Readonly<Record<string, string>>,
  kinds: readonly string[],
  proved: readonly Claim[],
): string[][];
export function renderTable(kinds: readonly string[], rows: readonly (readonly string[])[]): string;
export function replaceTable(readme: string, table: string): string;
export function differences(
  readme: string,
  kinds: readonly string[],
  rows: readonly (readonly string[])[],
): string[];
