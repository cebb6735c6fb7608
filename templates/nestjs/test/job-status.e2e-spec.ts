import { randomUUID } from 'node:crypto';

import { type Answer, describeWithServers, TestService } from './environment';

const [alice, bob] = [randomUUID(), randomUUID()];

describeWithServers('jobStatus', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await TestService.start();
  });

  afterAll(() => service.stop());

  const ask = (job_id: string, role: string, id: string): Promise<Answer> =>
    service.post('job-status', {
      input: { job_id },
      session_variables: { 'x-hasura-role': role, 'x-hasura-user-id': id },
    });

  it("tells how far a user's job is, and links to its result", async () => {
    const id = randomUUID();
    await service.database.query(
      `INSERT INTO jobs (id, kind, user_id, status, progress, attempts, result_key, runtime, created_at, finished_at)
       VALUES ($1, 'report', $2, 'SUCCEEDED', 100, 1, $3, 'golang', '2026-01-31T12:00:00.9Z', '2026-01-31T12:00:01Z')`,
      [id, alice, `${id}/report.csv`],
    );
    const { status, body } = await ask(id, 'user', alice);
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      message: 'Job succeeded',
      job_id: id,
      kind: 'report',
      status: 'SUCCEEDED',
      progress: 100,
      attempts: 1,
      result_url: expect.stringMatching(
        new RegExp(`^http://service\\.test/files/${id}/report\\.csv\\?expires=\\d+&signature=[\\w-]{43}$`),
      ) as string,
      error: null,
      created_at: '2026-01-31T12:00:00Z',
      finished_at: '2026-01-31T12:00:01Z',
      errors: null,
      error_code: null,
    });
    expect((await ask(id, 'admin', '')).body).toMatchObject({ success: true });
    expect((await ask(id, 'user', bob)).body).toMatchObject({ success: false, message: 'No such job', job_id: null });
    expect((await ask(id, 'public', alice)).status).toBe(401);
  });

  it.each(['', '7', randomUUID()])('knows no job %j', async (id) => {
    expect((await ask(id, 'user', alice)).body).toMatchObject({ success: false, error_code: 'NOT_FOUND' });
  });

  it('is asked often', async () => {
    for (let i = 0; i < 10; i++) {
      expect((await ask('7', 'user', bob)).status).toBe(200);
    }
  });
});
