import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { describeWithServers, hasRedis, secret, TestService } from './environment';

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

describeWithServers('a service with OpenTelemetry', () => {
  const saved = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;

  afterEach(() => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    if (saved !== undefined) {
      process.env.OTEL_EXPORTER_OTLP_ENDPOINT = saved;
    }
  });

  it('continues the trace of its caller', async () => {
    const received: { path: string; type: string; body: Buffer }[] = [];
    const collector = createServer((request, response) => {
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
    const service = await TestService.start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await service.post('no-such-action', {}, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    expect(service.log).toContain(`"trace_id":"${traceId}"`);
    await service.stop();
    collector.close();
    const body = Buffer.concat(received.map((request) => request.body));
    expect(received[0]).toMatchObject({ path: '/v1/traces', type: 'application/x-protobuf' });
    expect(body.includes(Buffer.from(traceId, 'hex'))).toBe(true);
    expect(body.includes('POST /actions/no-such-action')).toBe(true);
    expect(body.includes('-nestjs')).toBe(true);
  });
});
