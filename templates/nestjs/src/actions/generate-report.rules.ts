import type { Report } from '../reports/report';
import type { ReportInput, ValidationError } from './types.gen';

/** A leap year. */
const maxDays = 366;

const dayMs = 86_400_000;

/** Turns the input into a report, and says what is wrong with it. */
export function checkReport(input: ReportInput): { report: Report; errors: ValidationError[] } {
  const errors: ValidationError[] = [];
  // The engine lets no other value through, but leaves out what a direct call does.
  if ((input.report_type as string | undefined) === undefined) {
    errors.push({ field: 'report_type', message: 'Report type is required', code: 'REQUIRED_FIELD' });
  }
  const start = day(input.start_date.trim());
  if (start === null) {
    errors.push(notADay('start_date', 'Start date'));
  }
  const end = day(input.end_date.trim());
  if (end === null) {
    errors.push(notADay('end_date', 'End date'));
  }
  const last = (end ?? 0) + dayMs;
  if (start !== null && end !== null) {
    const days = (last - start) / dayMs;
    if (days < 1) {
      errors.push(outOfRange('End date must not be before the start date'));
    } else if (days > maxDays) {
      errors.push(outOfRange(`A report covers at most ${maxDays} days`));
    }
  }
  const iso = (time: number): string => new Date(time).toISOString();
  return { report: { report_type: input.report_type, start: iso(start ?? 0), end: iso(last) }, errors };
}

/** Reads a date such as 2026-01-31: the first moment of the day in UTC, or null. */
function day(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || text.startsWith('0000')) {
    return null;
  }
  const time = Date.parse(`${text}T00:00:00Z`);
  // Some engines take February 30 for a day of March.
  return Number.isNaN(time) || !new Date(time).toISOString().startsWith(text) ? null : time;
}

function notADay(field: string, label: string): ValidationError {
  return { field, message: `${label} must be a date such as 2026-01-31`, code: 'INVALID_FORMAT' };
}

function outOfRange(message: string): ValidationError {
  return { field: 'end_date', message, code: 'INVALID_RANGE' };
}
