/** GET /admin/usage: who has used how much of what. */

import type { RequestHandler } from 'express';
import { GatewayError } from '../../core/errors.ts';
import type { ReportUsage, UsageQuery, UsageReport } from '../../core/usage.ts';

export interface UsageDeps {
  /** undefined: usage is not counted. */
  readonly report: ReportUsage | undefined;
  /** Throws GatewayError (400). */
  readonly read: (query: Readonly<Record<string, unknown>>) => {
    readonly query: UsageQuery;
    readonly format: 'json' | 'csv' | undefined;
  };
  readonly toCsv: (report: UsageReport) => string;
}

export function showUsage({ report, read, toCsv }: UsageDeps): RequestHandler {
  return async (req, res) => {
    const { query, format = req.accepts(['json', 'csv']) } = read(req.query);
    if (!report) {
      throw new GatewayError('unknown_url', {
        message: 'Usage is not counted on this gateway. Set USAGE_ENABLED=true to count it from then on.',
      });
    }
    const told = await report(query);
    if (format === 'csv') {
      res.type('text/csv').send(toCsv(told));
      return;
    }
    const { groupBy, lines, totals, currency = null } = told;
    const { from = null, to = null } = query;
    res.json({ from, to, groupBy, currency, rows: lines, totals });
  };
}
