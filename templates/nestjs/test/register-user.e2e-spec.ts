import { ActionRegistry } from '../src/common/action-registry';
import { type Answer, describeWithServers, hasRedis, secret, TestService } from './environment';

const input = { email: 'test@example.com', password: 'password123', name: 'Test User' };

describeWithServers('registerUser', () => {
  let service: TestService;

  beforeEach(async () => {
    service = await TestService.start();
  });

  afterEach(() => service.stop());

  const register = (fields: object): Promise<Answer> => service.post('register-user', { input: fields });

  it.each([
    ['the engine', (fields: object) => ({ action: { name: 'registerUser' }, input: { input: fields } })],
    ['a person', (fields: object) => ({ input: fields })],
  ])('registers a user for %s', async (_, wrap) => {
    const { status, body } = await service.post(
      'register-user',
      wrap({ ...input, email: ' Test@Example.com ', name: ' Test User ', company: 'Acme' }),
    );
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      user: { id: expect.any(String) as string, email: 'test@example.com', name: 'Test User', email_verified: false },
      message: 'User registered successfully. Please check your email for verification.',
      errors: null,
      error_code: null,
    });
    const { rows } = await service.database.query<{ password_hash: string; company: string }>('SELECT * FROM users');
    expect(rows).toHaveLength(1);
    expect(rows[0]?.company).toBe('Acme');
    for (const hidden of [input.password, rows[0]?.password_hash, secret]) {
      expect(service.log).not.toContain(hidden);
    }
  });

  it('registers an address once, also when many ask at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => register(input)));
    const messages = answers.map(({ body }) => body.message).sort();
    expect(messages).toEqual([
      ...Array.from({ length: 19 }, () => 'Email already registered'),
      'User registered successfully. Please check your email for verification.',
    ]);
    const { body } = await register({ ...input, email: 'TEST@example.com' });
    expect(body).toMatchObject({
      success: false,
      user: null,
      errors: [{ field: 'email', message: 'Email is already in use', code: 'EMAIL_ALREADY_REGISTERED' }],
    });
  });

  it.each([
    ['', 400, 'Request body is not valid JSON'],
    ['{} {}', 400, 'Request body is not valid JSON'],
    ['null', 400, 'Request body must be an object'],
    ['[]', 400, 'Request body must not be a JSON array'],
    ['{"session_variables": 1}', 400, 'session_variables must not be a JSON number'],
    ['{"input": "x"}', 400, 'input must not be a JSON string'],
    ['{"input": {"email": 5}}', 400, 'email must not be a JSON number'],
    [`{"input": {"name": "${'x'.repeat(1 << 20)}"}}`, 413, 'Request body is larger than 1048576 bytes'],
  ])('refuses %.30s', async (text, status, message) => {
    const answer = await service.post('register-user', text);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ success: false, message });
  });

  it('is called with POST', async () => {
    const response = await fetch(`${service.url}/actions/register-user`, {
      headers: { 'X-Hasura-Admin-Secret': secret },
    });
    expect(response.status).toBe(405);
    expect(response.headers.get('Allow')).toBe('POST');
  });

  it('hides what went wrong inside', async () => {
    await service.database.query('ALTER TABLE users RENAME TO others');
    const { status, body } = await register(input);
    expect(status).toBe(500);
    expect(body).toEqual({
      success: false,
      message: 'Internal server error',
      error_code: 'INTERNAL_ERROR',
      code: 'INTERNAL_ERROR',
    });
    expect(service.log).toContain('public.users');
  });

  (hasRedis ? it : it.skip)('limits how often a user may call', async () => {
    const call = (userId: string): Promise<Answer> =>
      service.post('register-user', {
        input: {},
        session_variables: { 'x-hasura-role': 'user', 'x-hasura-user-id': userId },
      });
    for (let i = 0; i < 5; i++) {
      expect((await call('7')).status).toBe(200);
    }
    const refused = await call('7');
    expect(refused.status).toBe(429);
    expect(refused.body).toMatchObject({ error_code: 'RATE_LIMITED', extensions: { code: 'RATE_LIMITED' } });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await call('8')).status).toBe(200);
  });

  it('sends a link that verifies the address once', async () => {
    await register(input);
    expect(service.mailbox.messages).toHaveLength(1);
    const mail = (service.mailbox.messages[0] ?? '').replaceAll('=\r\n', '').replaceAll('=3D', '=');
    for (const part of ['To: test@example.com', 'text/plain', 'text/html', 'Hello Test User']) {
      expect(mail).toContain(part);
    }
    const path = /http:\/\/service\.test(\/verify-email\?token=[\w-]{43})\s/.exec(mail)?.[1] ?? '';
    const open = async (to: string, method = 'GET'): Promise<string> => {
      const response = await fetch(service.url + to, { method });
      return `${response.status} ${/<h1>(.*)<\/h1>/.exec(await response.text())?.[1]}`;
    };
    await expect(open('/verify-email')).resolves.toBe('404 Link not valid');
    await expect(open('/verify-email?token=x&token=y')).resolves.toBe('404 Link not valid');
    await expect(open(path, 'HEAD')).resolves.toBe('200 undefined');
    await expect(open(path)).resolves.toBe('200 Email address verified');
    await expect(open(path)).resolves.toBe('410 Link already used');
    const { rows } = await service.database.query('SELECT email_verified FROM users');
    expect(rows).toEqual([{ email_verified: true }]);
    expect(service.log).not.toContain(path.split('=')[1]);
  });

  it('answers in time when the handler does not, and drops what comes later', async () => {
    const action = service.get(ActionRegistry).find('register-user');
    if (action === undefined) {
      throw new Error('register-user is not served');
    }
    const usual = action.timeoutMs;
    action.timeoutMs = 100;
    await service.database.query('BEGIN');
    await service.database.query('LOCK TABLE users');
    const { status, body } = await register(input);
    expect(status).toBe(500);
    expect(body).toMatchObject({ message: 'Internal server error', error_code: 'INTERNAL_ERROR' });
    expect(service.log).toContain('the handler did not answer within 0.1 s');
    action.timeoutMs = usual;
    await service.database.query('COMMIT');
    while (service.mailbox.messages.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const again = await register(input);
    expect(again).toMatchObject({ status: 200, body: { error_code: 'EMAIL_ALREADY_REGISTERED' } });
    expect(service.log.match(/"action failed"/g)).toHaveLength(1);
  });

  it('does not verify an address after a day', async () => {
    await register(input);
    const token = /token=3D([\w=\r\n-]+?)\r?\n\r?\n/.exec(service.mailbox.messages[0] ?? '')?.[1];
    await service.database.query('UPDATE email_verifications SET expires_at = now()');
    const response = await fetch(`${service.url}/verify-email?token=${token?.replaceAll('=\r\n', '')}`);
    expect(response.status).toBe(410);
    await expect(response.text()).resolves.toContain('Link expired');
  });
});
