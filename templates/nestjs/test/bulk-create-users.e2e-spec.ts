import { type Answer, TestService } from './environment';
import { describeWithQueue, eventually } from './jobs';

describeWithQueue('bulkCreateUsers', () => {
  let service: TestService;

  beforeEach(async () => {
    service = await TestService.start();
  });

  afterEach(() => service.stop());

  const create = (users: object[], send_invitations?: boolean): Promise<Answer> =>
    service.post('bulk-create-users', { input: { users, send_invitations } });

  it('tells what became of each user, in the order of the input', async () => {
    await create([{ email: 'old@example.com', name: 'Old' }]);
    const { status, body } = await create([
      { email: ' New@Example.com ', name: ' New ', company: ' ' },
      { email: 'nope', name: '' },
      { email: 'new@example.com', name: 'Twice' },
      { email: 'OLD@example.com', name: 'Old' },
      { email: 'b@example.com', name: '' },
      { email: 'b@example.com', name: 'B' },
    ]);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: false,
      created_count: 2,
      failed_count: 4,
      message: '2 users created, 4 failed',
      errors: null,
      error_code: null,
    });
    const results = body.results as { email: string; user: { email: string } | null; error: string | null }[];
    expect(results.map(({ email, user, error }) => `${email}|${user?.email ?? ''}|${error ?? ''}`)).toEqual([
      ' New@Example.com |new@example.com|',
      'nope||Email must be a valid email address',
      'new@example.com||Email is listed twice',
      'OLD@example.com||Email is already in use',
      'b@example.com||Name is required',
      'b@example.com|b@example.com|',
    ]);
    expect(service.mailbox.messages).toEqual([]);
  });

  it('takes ten thousand users, and no more', async () => {
    const users = Array.from({ length: 10_000 }, (_, n) => ({ email: `u${n}@example.com`, name: `User ${n}` }));
    const { body } = await create(users);
    expect(body).toMatchObject({ success: true, created_count: 10_000, message: '10000 users created' });
    const results = body.results as { email: string }[];
    expect(results.at(-1)?.email).toBe('u9999@example.com');
    const more = await create([...users, { email: 'x@example.com', name: 'X' }]);
    expect(more.body).toMatchObject({ success: false, results: [], errors: [{ code: 'TOO_MANY_USERS' }] });
    expect((await create([])).body).toMatchObject({ success: false, errors: [{ code: 'REQUIRED_FIELD' }] });
  });

  it('sends each one invitation, whose link is good for one password', async () => {
    await create(
      [
        { email: 'a@example.com', name: 'A <b>' },
        { email: 'b@example.com', name: 'B' },
        { email: 'x', name: '' },
      ],
      true,
    );
    await eventually(async () => service.mailbox.messages.length === 2);
    // A link is good once it is noted that the mail is out.
    await eventually(async () => {
      const { rows } = await service.database.query('SELECT count(sent_at)::int AS sent FROM invitations');
      return (rows[0] as { sent: number }).sent === 2;
    });
    const mails = service.mailbox.messages.map((text) => text.replaceAll('=\r\n', '').replaceAll('=3D', '='));
    const mail = mails.find((text) => text.includes('To: a@example.com')) ?? '';
    expect(mail).toContain('Subject: You are invited');
    expect(mail).not.toContain('A <b>,</p>');
    const token = /http:\/\/service\.test\/accept-invitation\?token=([\w-]{43})\s/.exec(mail)?.[1] ?? '';
    const show = async (response: Response): Promise<string> =>
      `${response.status} ${/<h1>(.*)<\/h1>/.exec(await response.text())?.[1]}`;
    const open = async (given: string): Promise<string> =>
      show(await fetch(`${service.url}/accept-invitation?token=${given}`));
    const send = async (password: string): Promise<string> =>
      show(
        await fetch(`${service.url}/accept-invitation`, {
          method: 'POST',
          body: new URLSearchParams({ token, password }),
        }),
      );
    await expect(open('x')).resolves.toBe('404 Link not valid');
    await expect(open(token)).resolves.toBe('200 Choose a password');
    await expect(open(token)).resolves.toBe('200 Choose a password'); // looking does not use it up
    await expect(send('short')).resolves.toBe('400 Choose a password');
    await expect(send('x'.repeat(20 << 10))).resolves.toBe('400 Form not valid');
    await expect(send('password123')).resolves.toBe('200 Password saved');
    await expect(send('password456')).resolves.toBe('410 Link already used');
    const { rows } = await service.database.query("SELECT * FROM users WHERE email = 'a@example.com'");
    expect(rows).toEqual([expect.objectContaining({ email_verified: true })]);
    expect((rows[0] as { password_hash: string }).password_hash).toMatch(/^\$argon2id\$/);
    expect(service.log).not.toContain(token);
    expect(service.log).not.toContain('password123');
  });

  it('sends what could not be sent later, and nothing twice', async () => {
    service.mailbox.stop();
    await create([{ email: 'a@example.com', name: 'A' }], true);
    await eventually(async () => service.log.includes('job will be tried again'));
    await service.mailbox.restart();
    await eventually(async () => service.mailbox.messages.length === 1);
    const job = await eventually(async () => {
      const { rows } = await service.database.query<{ id: string }>(
        "SELECT id FROM jobs WHERE kind = 'invitation' AND status = 'SUCCEEDED'",
      );
      return rows[0];
    });
    await service.database.query("UPDATE jobs SET status = 'QUEUED' WHERE id = $1", [job.id]);
    await service.stopServing();
    await service.serve();
    await eventually(async () => {
      const { rows } = await service.database.query(
        'SELECT 1 FROM jobs WHERE id = $1 AND attempts > 2 AND status = $2',
        [job.id, 'SUCCEEDED'],
      );
      return rows.length === 1;
    });
    expect(service.mailbox.messages).toHaveLength(1);
  });
});
