import { randomUUID } from 'node:crypto';

import { IntegrationService } from '../src/actions/integration.service';
import { type Answer, describeWithServers, TestService } from './environment';

const user = randomUUID();

describeWithServers('saveCrmIntegration', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await TestService.start({
      ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
      RATE_LIMIT_POINTS: '1000',
    });
  });

  afterAll(() => service.stop());

  const save = (endpoint: string, api_key = 'crm-secret-key', session: object = {}): Promise<Answer> =>
    service.post('save-crm-integration', {
      input: { endpoint, api_key },
      session_variables: { 'x-hasura-role': 'user', 'x-hasura-user-id': user, ...session },
    });

  it('keeps the key encrypted', async () => {
    expect((await save(' https://8.8.8.8/v1 ')).body).toEqual({
      success: true,
      message: 'CRM integration saved',
      errors: null,
      error_code: null,
    });
    expect((await save('https://1.1.1.1/v2')).body).toMatchObject({ success: true });
    await expect(service.get(IntegrationService).getCRMSettings(user)).resolves.toEqual({
      endpoint: 'https://1.1.1.1/v2',
      api_key: 'crm-secret-key',
    });
    const { rows } = await service.database.query<{ api_key_encrypted: Buffer }>('SELECT * FROM crm_integrations');
    expect(rows).toHaveLength(1);
    expect(rows[0]?.api_key_encrypted.toString('latin1')).not.toContain('crm-secret-key');
    expect(service.log).not.toContain('crm-secret-key');
  });

  it.each([
    ['', 'k', 'endpoint REQUIRED_FIELD'],
    ['http://8.8.8.8', 'k', 'endpoint INVALID_URL'],
    ['https://10.0.0.1', '', 'endpoint FORBIDDEN_TARGET, api_key REQUIRED_FIELD'],
    ['https://localhost', 'two words', 'endpoint FORBIDDEN_TARGET, api_key INVALID_FORMAT'],
  ])('refuses %j with %j', async (endpoint, key, want) => {
    const { status, body } = await save(endpoint, key);
    expect(status).toBe(200);
    const errors = body.errors as { field: string; code: string }[];
    expect(errors.map(({ field, code }) => `${field} ${code}`).join(', ')).toBe(want);
  });

  it('is for users', async () => {
    expect(await save('https://8.8.8.8', 'k', { 'x-hasura-user-id': null })).toMatchObject({ status: 401 });
    expect(await save('https://8.8.8.8', 'k', { 'x-hasura-role': 'admin', 'x-hasura-user-id': null })).toMatchObject({
      status: 401,
    });
  });
});

describeWithServers('saveCrmIntegration without ENCRYPTION_KEY', () => {
  it('says so', async () => {
    const service = await TestService.start();
    const { body } = await service.post('save-crm-integration', {
      input: { endpoint: 'https://8.8.8.8', api_key: 'k' },
      session_variables: { 'x-hasura-role': 'user', 'x-hasura-user-id': user },
    });
    expect(body).toMatchObject({ success: false, error_code: 'ENCRYPTION_NOT_CONFIGURED' });
    expect(service.log).toContain('ENCRYPTION_KEY');
    await service.stop();
  });
});
