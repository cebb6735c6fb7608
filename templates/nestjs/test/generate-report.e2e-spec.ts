import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { FileUrls } from '../src/storage/file-urls';
import { type Answer, secret, TestService } from './environment';
import { describeWithQueue, jobIn, storageFolder } from './jobs';

const user = randomUUID();

/** Spans by name, as OTLP has them: trace_id is field 1, span_id 2, parent_span_id 4, name 5. */
function spansOf(body: Buffer): Map<string, { trace: string; span: string; parent: string }> {
  const found = new Map<string, { trace: string; span: string; parent: string }>();
  const text = body.toString('latin1');
  const hex = (bytes = ''): string => Buffer.from(bytes, 'latin1').toString('hex');
  // eslint-disable-next-line no-control-regex -- these are the fields' tags and lengths
  for (const match of text.matchAll(/\x0a\x10([^]{16})\x12\x08([^]{8})(?:\x22\x08([^]{8}))?\x2a([^])/g)) {
    const start = match.index + match[0].length;
    const name = text.slice(start, start + (match[4] ?? '').charCodeAt(0));
    found.set(name, { trace: hex(match[1]), span: hex(match[2]), parent: hex(match[3]) });
  }
  return found;
}

describeWithQueue('generateReport', () => {
  let service: TestService;
  let storage: Awaited<ReturnType<typeof storageFolder>>;

  beforeEach(async () => {
    storage = await storageFolder();
    service = await TestService.start({ STORAGE_DIR: storage.path, JOB_BACKOFF_SECONDS: '0', JOB_MAX_ATTEMPTS: '2' });
  });

  afterEach(async () => {
    await service.stop();
    await storage.remove();
  });

  const order = (input: object, session: object = {}): Promise<Answer> =>
    service.post('generate-report', { input, session_variables: session });
  const january = { report_type: 'USERS', start_date: '2026-01-01', end_date: '2026-01-31' };

  it('answers with a job at once, which writes the report', async () => {
    await service.database.query(
      `INSERT INTO users (email, password_hash, name, company, created_at) VALUES
         ('late@example.com', '!', '=1+1', NULL, '2026-01-31T23:59:59.9Z'),
         ('early@example.com', '!', 'Eve, "E"', 'Acme', '2026-01-01T00:00:00Z'),
         ('after@example.com', '!', 'After', NULL, '2026-02-01T00:00:00Z')`,
    );
    const { status, body } = await order(january, { 'x-hasura-role': 'user', 'x-hasura-user-id': user.toUpperCase() });
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      job_id: expect.any(String) as string,
      status: 'QUEUED',
      estimated_duration: 1,
      message: 'Report queued',
      errors: null,
      error_code: null,
    });
    const job = await jobIn(service, body.job_id, 'SUCCEEDED');
    expect(job).toMatchObject({ attempts: 1, progress: 100, kind: 'report', user_id: user, error: null });
    const lines = (await readFile(join(storage.path, job.result_key ?? ''), 'utf8')).split('\r\n');
    expect(lines.map((line) => line.replace(/^[0-9a-f-]{36},/, '<id>,'))).toEqual([
      'id,email,name,company,email_verified,created_at',
      '<id>,early@example.com,"Eve, ""E""",Acme,false,2026-01-01T00:00:00Z',
      "<id>,late@example.com,'=1+1,,false,2026-01-31T23:59:59Z",
      '',
    ]);
  });

  it('is part of the trace of the call that queued it', async () => {
    const received: Buffer[] = [];
    const collector = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => received.push(chunk));
      request.on('end', () => response.end());
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const saved = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = endpoint; // the exporter reads it there
    try {
      const traced = await TestService.start({ STORAGE_DIR: storage.path, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
      const trace = '0af7651916cd43dd8448eb211c80319c';
      const traceparent = `00-${trace}-b7ad6b7169203331-01`;
      const { body } = await traced.post('generate-report', { input: january }, { traceparent });
      await jobIn(traced, body.job_id, 'SUCCEEDED');
      await traced.stop(); // which sends the last spans
      const spans = spansOf(Buffer.concat(received));
      const call = spans.get('POST /actions/generate-report');
      expect(call).toMatchObject({ trace, parent: 'b7ad6b7169203331' });
      expect(spans.get('job report')).toMatchObject({ trace, parent: call?.span });
    } finally {
      collector.close();
      delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
      if (saved !== undefined) {
        process.env.OTEL_EXPORTER_OTLP_ENDPOINT = saved;
      }
    }
  });

  it('reports on many payments, in order', async () => {
    await service.database.query(
      `WITH payer AS (INSERT INTO users (email, password_hash, name) VALUES ('a@example.com', '!', 'A') RETURNING id)
       INSERT INTO payments (customer_id, amount, currency, status, idempotency_key, request_hash, created_at)
       SELECT id, n, 'usd', 'SUCCEEDED', n::text, '', timestamptz '2026-01-02T00:00:00Z' + n * interval '1 microsecond'
       FROM payer, generate_series(1, 2500) AS n`,
    );
    const { body } = await order({ ...january, report_type: 'PAYMENTS' });
    const job = await jobIn(service, body.job_id, 'SUCCEEDED');
    const lines = (await readFile(join(storage.path, job.result_key ?? ''), 'utf8')).split('\r\n');
    expect(lines.slice(1, -1).map((line) => Number(line.split(',')[2]))).toEqual(
      Array.from({ length: 2500 }, (_, n) => n + 1),
    );
  });

  it.each([
    [{ ...january, start_date: '2026-02-30' }, 'start_date INVALID_FORMAT'],
    [{ ...january, start_date: 'x', end_date: '' }, 'start_date INVALID_FORMAT, end_date INVALID_FORMAT'],
    [{ ...january, end_date: '2025-12-31' }, 'end_date INVALID_RANGE'],
    [{ ...january, end_date: '2027-01-02' }, 'end_date INVALID_RANGE'],
  ])('refuses %j', async (input, want) => {
    const { status, body } = await order(input);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: false,
      job_id: null,
      message: 'Validation failed',
      error_code: 'VALIDATION_ERROR',
    });
    const errors = body.errors as { field: string; code: string }[];
    expect(errors.map(({ field, code }) => `${field} ${code}`).join(', ')).toBe(want);
  });

  it('is for who has signed in', async () => {
    const { status, body } = await order(january, { 'x-hasura-role': 'user', 'x-hasura-user-id': '7' });
    expect(status).toBe(401);
    expect(body).toMatchObject({ success: false, message: 'Sign in first', error_code: 'UNAUTHENTICATED' });
  });

  it('tries again what failed, and gives it up in the end', async () => {
    await service.database.query('ALTER TABLE payments RENAME TO others');
    const id = randomUUID();
    await addJob(id, 'QUEUED', 0);
    await restart();
    const job = await jobIn(service, id, 'FAILED');
    expect(job).toMatchObject({ attempts: 2, error: 'The report could not be generated' });
    expect(service.log).toContain('public.payments');
  });

  it('goes on with what a killed worker has left, and only as often as it should', async () => {
    const [lost, worn] = [randomUUID(), randomUUID()];
    await addJob(lost, 'RUNNING', 1);
    await addJob(worn, 'RUNNING', 2);
    await restart();
    expect(await jobIn(service, lost, 'SUCCEEDED')).toMatchObject({ attempts: 2 });
    expect(await jobIn(service, worn, 'FAILED')).toMatchObject({ error: 'The job was interrupted too often' });
  });

  it('leaves alone what was cancelled', async () => {
    const [cancelled, next] = [randomUUID(), randomUUID()];
    await addJob(cancelled, 'CANCELLED', 0);
    await addJob(next, 'QUEUED', 0);
    await restart();
    await jobIn(service, next, 'SUCCEEDED');
    expect(existsSync(join(storage.path, cancelled))).toBe(false);
    await jobIn(service, cancelled, 'CANCELLED');
  });

  it('puts back what runs when the service stops', async () => {
    const id = randomUUID();
    await addJob(id, 'QUEUED', 0);
    // The report waits for this lock.
    await service.database.query('BEGIN');
    await service.database.query('LOCK TABLE payments');
    await restart();
    await jobIn(service, id, 'RUNNING');
    const stopped = service.stopServing();
    await service.database.query('COMMIT');
    await stopped;
    expect(await jobIn(service, id, 'QUEUED')).toMatchObject({ attempts: 0 });
    await service.serve();
    expect(await jobIn(service, id, 'SUCCEEDED')).toMatchObject({ attempts: 1 });
  });

  it('serves the report to who has the link, while it is valid', async () => {
    const { body } = await order(january);
    const { result_key } = await jobIn(service, body.job_id, 'SUCCEEDED');
    const link = linkTo(result_key ?? '');
    const file = await fetch(link);
    expect(file.status).toBe(200);
    expect(file.headers.get('Content-Type')).toBe('text/csv; charset=utf-8');
    expect(file.headers.get('Content-Disposition')).toMatch(/^attachment; filename="?report.csv"?$/);
    expect(file.headers.get('X-Content-Type-Options')).toBe('nosniff');
    await expect(file.text()).resolves.toMatch(/^id,email/);
    const status = async (address: string): Promise<number> => (await fetch(address)).status;
    await expect(status(link.replace('report.csv', 'other.csv'))).resolves.toBe(403);
    await expect(status(link.replace(/expires=\d/, 'expires=9'))).resolves.toBe(403);
    await expect(status(link.replace(/signature=.*/, ''))).resolves.toBe(403);
    await expect(status(linkTo(`${randomUUID()}/report.csv`))).resolves.toBe(404);
    await expect(status(linkTo(result_key ?? '', -1))).resolves.toBe(410);
    await mkdir(join(storage.path, 'secret'));
    await writeFile(join(storage.path, 'secret', 'x'), 'x');
    await expect(
      status(`${service.url}/files/${randomUUID()}/..%2Fsecret%2Fx?expires=9999999999&signature=x`),
    ).resolves.toBe(403);
  });

  function linkTo(key: string, ttlSeconds = 900): string {
    return new FileUrls(secret, service.url, ttlSeconds).sign(key);
  }

  async function addJob(id: string, status: string, attempts: number): Promise<void> {
    const payload = { report_type: 'PAYMENTS', start: '2026-01-01T00:00:00Z', end: '2026-02-01T00:00:00Z' };
    await service.database.query(
      `INSERT INTO jobs (id, kind, payload, status, attempts, max_attempts, runtime)
       VALUES ($1, 'report', $2, $3, $4, 2, 'nestjs')`,
      [id, payload, status, attempts],
    );
  }

  /** What a start finds in the table, it adds to the queue. */
  async function restart(): Promise<void> {
    await service.stopServing();
    await service.serve();
  }
});
