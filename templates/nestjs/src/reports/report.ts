import type { Queryable } from '../common/database';

/** What to report on. It is kept as a job's payload. */
export interface Report {
  report_type: 'USERS' | 'PAYMENTS';
  /** The first moment that counts, as RFC 3339 has it. */
  start: string;
  /** The first moment that does not. */
  end: string;
}

/** How many rows are read at a time. */
const pageSize = 1000;

/** Where a report's rows come from: the columns, each with its expression. All are read as text. */
interface Source {
  table: string;
  columns: Record<string, string>;
}

const created = `to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

const sources: Readonly<Record<Report['report_type'], Source>> = {
  USERS: {
    table: 'public.users',
    columns: {
      id: 'id::text',
      email: 'email',
      name: 'name',
      company: `coalesce(company, '')`,
      email_verified: 'email_verified::text',
      created_at: created,
    },
  },
  PAYMENTS: {
    table: 'public.payments',
    columns: {
      id: 'id::text',
      customer_id: 'customer_id::text',
      amount: 'amount::text',
      currency: 'currency',
      status: 'status',
      description: 'description',
      created_at: created,
    },
  },
};

/** How many rows a report has. */
export async function countRows(database: Queryable, report: Report): Promise<number> {
  const { rows } = await database.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM ${sources[report.report_type].table} WHERE created_at >= $1 AND created_at < $2`,
    [report.start, report.end],
  );
  return rows[0]?.n ?? 0;
}

/** How long a report of so many rows takes, in seconds, generously. */
export function estimateSeconds(rows: number): number {
  return Math.max(1, Math.ceil(rows / 10_000));
}

/**
 * Yields a report piece by piece: a line with the names of the columns, then the rows from the oldest on. Before each piece
 * progress gets percents; an error of it ends the report.
 */
export async function* writeReport(
  database: Queryable,
  report: Report,
  progress: (percent: number) => Promise<void>,
): AsyncGenerator<Buffer> {
  const { table, columns } = sources[report.report_type];
  const total = await countRows(database, report);
  yield Buffer.from(csvLine(Object.keys(columns)));
  const cells = Object.values(columns).join(', ');
  let after = ['-infinity', '00000000-0000-0000-0000-000000000000'];
  for (let done = 0; ;) {
    await progress((100 * done) / Math.max(total, 1));
    // Each page begins behind the last row of the one before. Its time stays text: a Date would lose the microseconds.
    const { rows } = await database.query<{ at: string; key: string; cells: string[] }>(
      `SELECT created_at::text AS at, id::text AS key, ARRAY[${cells}] AS cells FROM ${table}
       WHERE created_at >= $1 AND created_at < $2 AND (created_at, id) > ($3, $4)
       ORDER BY created_at, id LIMIT ${pageSize}`,
      [report.start, report.end, ...after],
    );
    if (rows.length > 0) {
      yield Buffer.from(rows.map((row) => csvLine(row.cells)).join(''));
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) {
      return;
    }
    after = [last.at, last.key];
    done += rows.length;
  }
}

/** A line of CSV as RFC 4180 has it. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(quoted).join(',')}\r\n`;
}

/**
 * Spreadsheets take text that begins like a formula for one, so such text gets a quotation mark in front that they
 * understand and do not show.
 */
function quoted(cell: string): string {
  const text = /^[=+\-@]/.test(cell) ? `'${cell}` : cell;
  return /[,"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
