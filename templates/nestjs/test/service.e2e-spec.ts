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
