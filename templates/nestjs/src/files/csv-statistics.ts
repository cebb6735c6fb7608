/** What is known of one column. */
export interface ColumnStatistics {
  name: string;
  /** How many cells are empty. */
  empty: number;
  /** How many cells hold a number. */
  numeric: number;
  /** The least and the greatest number; null: there is none. */
  min: number | null;
  max: number | null;
}

export interface CsvStatistics {
  /** Lines after the first, which names the columns. */
  rows: number;
  columns: ColumnStatistics[];
}

const numberPattern = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Takes the statistics of CSV text, piece by piece. */
export async function csvStatistics(chunks: AsyncIterable<Buffer>): Promise<CsvStatistics> {
  const statistics: CsvStatistics = { rows: 0, columns: [] };
  let header = true;
  for await (const record of readCsv(chunks)) {
    if (header) {
      statistics.columns = record.map((name) => ({ name, empty: 0, numeric: 0, min: null, max: null }));
      header = false;
      continue;
    }
    statistics.rows++;
    statistics.columns.forEach((column, at) => count(column, record[at]?.trim() ?? ''));
  }
  return statistics;
}

function count(column: ColumnStatistics, cell: string): void {
  if (cell === '') {
    column.empty++;
  } else if (numberPattern.test(cell) && Number.isFinite(Number(cell))) {
    const value = Number(cell);
    column.numeric++;
    column.min = Math.min(column.min ?? value, value);
    column.max = Math.max(column.max ?? value, value);
  }
}

/**
 * Yields the records of CSV text (RFC 4180; a line feed ends a line too). Empty lines are left out. It is lenient: a
 * quotation mark where none may be is part of the cell.
 */
export async function* readCsv(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder(); // it drops a byte order mark
  let record: string[] = [];
  let cell = '';
  let state: 'start' | 'plain' | 'quoted' | 'quote' = 'start';
  function* take(text: string): Generator<string[]> {
    for (const c of text) {
      if (state === 'quoted') {
        if (c === '"') {
          state = 'quote';
        } else {
          cell += c;
        }
      } else if (c === '"' && state !== 'plain') {
        cell += state === 'quote' ? '"' : '';
        state = 'quoted';
      } else if (c === ',' || c === '\n') {
        record.push(c === '\n' && cell.endsWith('\r') ? cell.slice(0, -1) : cell);
        cell = '';
        state = 'start';
        if (c === '\n') {
          if (record.length > 1 || record[0] !== '') {
            yield record;
          }
          record = [];
        }
      } else if (state === 'quote' && c !== '\r') {
        cell += `"${c}`;
        state = 'quoted';
      } else if (state !== 'quote') {
        cell += c;
        state = 'plain';
      }
    }
  }
  for await (const chunk of chunks) {
    yield* take(decoder.decode(chunk, { stream: true }));
  }
  yield* take(decoder.decode());
  if (record.length > 0 || cell !== '') {
    yield [...record, cell.replace(/\r$/, '')];
  }
}
