/** What a test measured, for whoever asks: with `FIGURES=1` each figure is a line of standard error. */

export function tellFigure(name: string, value: string): void {
  if (process.env.FIGURES) process.stderr.write(`figure: ${name}: ${value}\n`);
}
