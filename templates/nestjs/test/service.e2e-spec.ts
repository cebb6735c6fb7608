import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { describeWithServers, hasRedis, secret, TestService } from './environment';
import { jobIn } from './jobs';

describeWithServers('the service', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await TestService.start();
  });

  afterAll(() => service.stop());

  it('tells its health', async () => {
    const health = await fetch(`${service.url}/healthz`);
    expect(health.status).toBe(200);
    await expect(health.json()).resolves.toEqual({ status: 'ok' });
    const ready = await fetch(`${service.url}/readyz`);
    expect(ready.status).toBe(200);
    await expect(ready.json()).resolves.toEqual({
      status: 'ready',
      checks: { postgres: 'up', redis: hasRedis ? 'up' : 'disabled' },
    });
  });

  it.each([{ 'X-Hasura-Admin-Secret': '' }, { 'X-Hasura-Admin-Secret': 'other' }])(
    'asks for the secret: %j',
    async (headers) => {
      const { status, body } = await service.post('no-such-action', '{', headers);
      expect(status).toBe(401);
      expect(body).toEqual({
        success: false,
        message: 'X-Hasura-Admin-Secret is missing or wrong',
        error_code: 'UNAUTHORIZED',
        code: 'UNAUTHORIZED',
      });
    },
  );

  it('says what it does not serve', async () => {
    const { status, body } = await service.post('no-such-action', {});
    expect(status).toBe(404);
    expect(body).toMatchObject({ message: 'Action "no-such-action" is not served here', error_code: 'NOT_FOUND' });
    const other = await fetch(`${service.url}/no-such-page`);
    expect(other.status).toBe(404);
    await expect(other.json()).resolves.toMatchObject({ success: false, message: 'Not found', code: 'NOT_FOUND' });
  });

  it('answers with the id of the request, the given one where that can be used', async () => {
    const id = async (given: string): Promise<string | null> =>
      (await service.post('no-such-action', {}, { 'X-Request-Id': given })).headers.get('X-Request-Id');
    await expect(id('abc-1')).resolves.toBe('abc-1');
    await expect(id('a b')).resolves.toMatch(/^[\w-]{36}$/);
    expect(service.log).toContain('"request_id":"abc-1"');
  });

  it('keeps the secret out of its log', () => {
    expect(service.log).not.toContain(secret);
  });
});

describeWithServers('a service that stops', () => {
  it('is not ready any more, and closes the door', async () => {
    const service = await TestService.start();
    await fetch(`${service.url}/healthz`); // leaves a connection open
    await service.stop();
    await expect(fetch(`${service.url}/healthz`)).rejects.toThrow();
  });
});

const traceId = '0af7651916cd43dd8448eb211c80319c';

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

describeWithServers('a service with OpenTelemetry', () => {
  const saved = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;

  afterEach(() => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    if (saved !== undefined) {
      process.env.OTEL_EXPORTER_OTLP_ENDPOINT = saved;
    }
  });

  let received: { path: string; type: string; body: Buffer }[];
  let collector: Server;
  let service: TestService;

  beforeEach(async () => {
    received = [];
    collector = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const type = request.headers['content-type'] ?? '';
        received.push({ path: request.url ?? '', type, body: Buffer.concat(chunks) });
        response.end();
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = endpoint; // the exporter reads it there
    service = await TestService.start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  });

  /** Stops the service, which sends the last spans then. */
  const sent = async (): Promise<Buffer> => {
    await service.stop();
    collector.close();
    return Buffer.concat(received.map((request) => request.body));
  };

  it('continues the trace of its caller', async () => {
    await service.post('no-such-action', {}, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    expect(service.log).toContain(`"trace_id":"${traceId}"`);
    const body = await sent();
    expect(received[0]).toMatchObject({ path: '/v1/traces', type: 'application/x-protobuf' });
    expect(body.includes(Buffer.from(traceId, 'hex'))).toBe(true);
    expect(body.includes('POST /actions/no-such-action')).toBe(true);
    expect(body.includes('-nestjs')).toBe(true);
  });

  (hasRedis || process.env.CI ? it : it.skip)('makes a job part of the trace of the call that queued it', async () => {
    const input = { report_type: 'USERS', start_date: '2026-01-01', end_date: '2026-01-31' };
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    const { body } = await service.post('generate-report', { input }, { traceparent });
    await jobIn(service, body.job_id, 'SUCCEEDED');
    const spans = spansOf(await sent());
    const call = spans.get('POST /actions/generate-report');
    expect(call).toMatchObject({ trace: traceId, parent: 'b7ad6b7169203331' });
    expect(spans.get('job report')).toMatchObject({ trace: traceId, parent: call?.span });
  });
});
