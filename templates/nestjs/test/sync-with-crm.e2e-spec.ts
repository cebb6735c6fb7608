import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { IntegrationService } from '../src/actions/integration.service';
import { type Answer, describeWithServers, TestService } from './environment';

const apiKey = 'crm-secret-key';
const user = randomUUID();
const contacts = [
  { email: 'a@example.com', name: 'A', phone: '+1', company: null },
  { email: 'b@example.com', name: 'B', phone: null, company: null },
];

interface Request {
  path: string;
  headers: IncomingHttpHeaders;
  contacts: { email: string }[];
}

describeWithServers('syncWithCrm', () => {
  let service: TestService;
  let crm: Server;
  let url: string;
  let requests: Request[];
  /** What the CRM answers to the n-th request. */
  let answer: (n: number) => { status: number; headers?: Record<string, string>; body?: string };

  beforeAll(async () => {
    crm = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        const { contacts } = JSON.parse(text) as { contacts: Request['contacts'] };
        requests.push({ path: request.url ?? '', headers: request.headers, contacts });
        const { status, headers, body } = answer(requests.length);
        response.writeHead(status, headers).end(body);
      });
    });
    await new Promise<void>((resolve) => crm.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(crm.address() as AddressInfo).port}`;
    service = await TestService.start({
      ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
      CRM_ALLOWED_HOSTS: '127.0.0.1',
      RATE_LIMIT_POINTS: '1000',
    });
    await service.get(IntegrationService).saveCRMSettings(user, { endpoint: `${url}/v1/`, api_key: apiKey });
  });

  beforeEach(() => {
    requests = [];
    answer = () => ({ status: 200 });
  });

  afterAll(async () => {
    await service.stop();
    crm.close();
  });

  const sync = (list: object[] = contacts, id = user): Promise<Answer> =>
    service.post('sync-with-crm', {
      input: { contacts: list },
      session_variables: { 'x-hasura-role': 'user', 'x-hasura-user-id': id },
    });
  const stored = async (): Promise<string[]> => {
    const { rows } = await service.database.query<{ line: string }>(
      `SELECT concat_ws(' ', email, status, error) AS line FROM crm_contacts WHERE user_id = $1 ORDER BY email`,
      [user],
    );
    return rows.map((row) => row.line);
  };

  it('sends contacts in batches', async () => {
    const many = Array.from({ length: 150 }, (_, n) => ({ email: `c${n}@example.com`, name: 'C' }));
    expect((await sync(many)).body).toEqual({
      success: true,
      synced_count: 150,
      failed_count: 0,
      message: 'CRM sync completed successfully',
      error: null,
      errors: null,
      error_code: null,
    });
    expect(requests.map((request) => request.contacts.length)).toEqual([100, 50]);
    expect(requests[0]).toMatchObject({ path: '/v1/contacts', headers: { authorization: `Bearer ${apiKey}` } });
    expect(requests[0]?.contacts[0]).toEqual({ email: 'c0@example.com', name: 'C', phone: null, company: null });
    expect(requests[0]?.headers['idempotency-key']).not.toBe(requests[1]?.headers['idempotency-key']);
    await service.database.query('DELETE FROM crm_contacts');
  });

  it('notes the failure of single contacts', async () => {
    const results = [{ email: 'b@example.com', success: false, error: `no ${apiKey}` }];
    answer = () => ({ status: 200, body: JSON.stringify({ results }) });
    expect((await sync()).body).toMatchObject({
      success: false,
      synced_count: 1,
      failed_count: 1,
      message: 'CRM sync completed with failures',
      error: null,
    });
    await expect(stored()).resolves.toEqual(['a@example.com SYNCED', 'b@example.com FAILED no [redacted]']);
  });

  it('waits and tries again, with the same key', async () => {
    answer = (n) => (n === 1 ? { status: 429, headers: { 'Retry-After': '0' } } : { status: n === 2 ? 503 : 204 });
    expect((await sync()).body).toMatchObject({ success: true, synced_count: 2 });
    expect(new Set(requests.map((request) => request.headers['idempotency-key'])).size).toBe(1);
    expect(requests).toHaveLength(3);
  });

  it.each([
    [401, 'CRM refused the API key'],
    [422, 'CRM answered with status 422'],
    [307, 'CRM answered with status 307'],
  ])('gives up at status %d', async (status, error) => {
    answer = () => ({ status, headers: { Location: `${url}/elsewhere` } });
    expect((await sync()).body).toMatchObject({ success: false, failed_count: 2, message: 'CRM sync failed', error });
    expect(requests).toHaveLength(1);
    await expect(stored()).resolves.toEqual([`a@example.com FAILED ${error}`, `b@example.com FAILED ${error}`]);
  });

  it('needs an integration that can be read', async () => {
    const other = randomUUID();
    expect((await sync(contacts, other)).body).toMatchObject({ failed_count: 2, error_code: 'CRM_NOT_CONFIGURED' });
    await service.database.query(
      'INSERT INTO crm_integrations (user_id, endpoint, api_key_encrypted) VALUES ($1, $2, $3)',
      [other, url, Buffer.alloc(60)],
    );
    expect((await sync(contacts, other)).body).toMatchObject({ error_code: 'CRM_KEY_UNREADABLE' });
    expect((await sync([])).body).toMatchObject({ errors: [{ code: 'REQUIRED_FIELD' }] });
    const many = Array.from({ length: 5001 }, () => contacts[0] ?? {});
    expect((await sync(many)).body).toMatchObject({ errors: [{ code: 'TOO_MANY_CONTACTS' }] });
    expect(await service.post('sync-with-crm', { input: { contacts } })).toMatchObject({ status: 401 });
    expect(requests).toEqual([]);
  });

  it('keeps the key out of its log', () => {
    expect(service.log).not.toContain(apiKey);
  });
});
