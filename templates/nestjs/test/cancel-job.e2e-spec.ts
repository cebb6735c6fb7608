import { randomUUID } from 'node:crypto';

import { type Answer, describeWithServers, TestService } from './environment';

const user = randomUUID();

describeWithServers('cancelJob', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await TestService.start({ RATE_LIMIT_POINTS: '1000' });
  });

  afterAll(() => service.stop());

  const cancel = (job_id: string, id = user): Promise<Answer> =>
    service.post('cancel-job', {
      input: { job_id },
      session_variables: { 'x-hasura-role': 'user', 'x-hasura-user-id': id },
    });
  const job = async (status: string): Promise<string> => {
    const { rows } = await service.database.query<{ id: string }>(
      `INSERT INTO jobs (kind, user_id, status, runtime) VALUES ('report', $1, $2, 'golang') RETURNING id`,
      [user, status],
    );
    return rows[0]?.id ?? '';
  };

  it.each(['QUEUED', 'RUNNING'])('ends a job that is %s', async (status) => {
    const id = await job(status);
    const { body } = await cancel(id);
    expect(body).toMatchObject({ success: true, message: 'Job was cancelled', status: 'CANCELLED', job_id: id });
    expect(body.finished_at).not.toBeNull();
    expect((await cancel(id)).body).toMatchObject({ success: false, error_code: 'ALREADY_FINISHED' });
  });

  it.each(['SUCCEEDED', 'FAILED'])('leaves a job that has %s', async (status) => {
    const { body } = await cancel(await job(status));
    expect(body).toMatchObject({ success: false, message: 'Job has already finished', status });
  });

  it("does not touch another user's job", async () => {
    const id = await job('QUEUED');
    expect((await cancel(id, randomUUID())).body).toMatchObject({ success: false, error_code: 'NOT_FOUND' });
    const { rows } = await service.database.query('SELECT status FROM jobs WHERE id = $1', [id]);
    expect(rows).toEqual([{ status: 'QUEUED' }]);
  });
});
