import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import sharp from 'sharp';

import { type Answer, TestService } from './environment';
import { describeWithQueue, jobIn, storageFolder } from './jobs';

const user = randomUUID();

describeWithQueue('uploadAndProcessFile', () => {
  let service: TestService;
  let storage: Awaited<ReturnType<typeof storageFolder>>;

  beforeAll(async () => {
    storage = await storageFolder();
    service = await TestService.start({ STORAGE_DIR: storage.path, RATE_LIMIT_POINTS: '1000' });
  });

  afterAll(async () => {
    await service.stop();
    await storage.remove();
  });

  const upload = (file_name: string, file_type: string, content: Buffer, more: object = {}): Promise<Answer> =>
    service.post('upload-and-process-file', {
      input: { file_name, file_type, file_size: content.length, file_data: content.toString('base64'), ...more },
      session_variables: { 'x-hasura-role': 'user', 'x-hasura-user-id': user },
    });
  const image = (width: number, height: number): sharp.Sharp =>
    sharp({ create: { width, height, channels: 3, background: 'red' } });
  const stored = (key: string): Promise<Buffer> => readFile(join(storage.path, key));

  it('stores an image and makes a thumbnail', async () => {
    const content = await image(300, 600).png().toBuffer();
    const { status, body } = await upload('Größe 1.png', 'IMAGE/PNG', content, {
      processing_options: { thumbnail_width: 30 },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, message: 'File uploaded', errors: null, error_code: null });
    const link = String(body.file_url).replace('http://service.test', service.url);
    const file = await fetch(link);
    expect(file.headers.get('Content-Disposition')).toBe(
      `attachment; filename="Gr__e 1.png"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.png`,
    );
    expect(Buffer.from(await file.arrayBuffer()).equals(content)).toBe(true);
    const job = await jobIn(service, body.processing_job_id, 'SUCCEEDED');
    expect(job).toMatchObject({ kind: 'file', user_id: user, result_key: `${job.id}/thumbnail.png` });
    expect((await stored(`${job.id}/result.json`)).toString()).toBe(
      `{"width":300,"height":600,"format":"png","thumbnail_key":"${job.result_key}"}`,
    );
    await expect(sharp(await stored(job.result_key ?? '')).metadata()).resolves.toMatchObject({
      width: 30,
      height: 60,
    });
    const { rows } = await service.database.query('SELECT * FROM files WHERE id = $1', [body.file_id]);
    expect(rows[0]).toMatchObject({ user_id: user, content_type: 'image/png', name: 'Größe 1.png' });
  });

  it('never enlarges, and keeps a JPEG file one', async () => {
    const { body } = await upload('a.jpg', 'image/jpg', await image(20, 10).jpeg().toBuffer());
    const job = await jobIn(service, body.processing_job_id, 'SUCCEEDED');
    const metadata = await sharp(await stored(`${job.id}/thumbnail.jpg`)).metadata();
    expect(metadata).toMatchObject({ width: 20, height: 10, format: 'jpeg' });
  });

  it('takes the statistics of a CSV file', async () => {
    const { body } = await upload('a.csv', 'text/csv', Buffer.from('name,n\r\nA,1\r\n"B, C",2.5\r\n,\r\n'));
    const job = await jobIn(service, body.processing_job_id, 'SUCCEEDED');
    expect(JSON.parse((await stored(job.result_key ?? '')).toString())).toEqual({
      rows: 3,
      columns: [
        { name: 'name', empty: 1, numeric: 0, min: null, max: null },
        { name: 'n', empty: 1, numeric: 2, min: 1, max: 2.5 },
      ],
    });
  });

  it('has nothing to process in a PDF file', async () => {
    const { body } = await upload('a.pdf', 'application/pdf', Buffer.from('%PDF-1.7'));
    expect(body).toMatchObject({ success: true, processing_job_id: null });
  });

  it('finds out once that an image is broken', async () => {
    const noise = Buffer.from(Array.from({ length: 3 * 64 * 64 }, (_, n) => (n * 7919) % 251));
    const content = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .png()
      .toBuffer();
    const { body } = await upload('a.png', 'image/png', content.subarray(0, 60));
    const job = await jobIn(service, body.processing_job_id, 'FAILED');
    expect(job).toMatchObject({ attempts: 1, error: 'The file could not be processed' });
  });

  it.each([
    ['../a.csv', 'text/csv', 'a', 'file_name INVALID_FORMAT'],
    ['a\n.csv', 'text/csv', 'a', 'file_name INVALID_FORMAT'],
    ['a.png', 'image/png', '\x7fELF\0', 'file_type UNSUPPORTED_TYPE'],
    ['a.png', 'image/png', '\x89PNG\r\n\x1a\n', 'file_type UNSUPPORTED_TYPE'],
    ['a.png', 'image/png', '<svg/>', 'file_type TYPE_MISMATCH'],
    ['a.csv', 'text/csv', '', 'file_data REQUIRED_FIELD'],
  ])('refuses %j as %s', async (name, type, content, want) => {
    const { status, body } = await upload(name, type, Buffer.from(content, 'latin1'));
    expect(status).toBe(200);
    expect(faults(body)).toBe(want);
  });

  it('refuses what does not fit together', async () => {
    const content = Buffer.from('a');
    const bad = async (more: object): Promise<string> =>
      faults((await upload('a.csv', 'text/csv', content, more)).body);
    await expect(bad({ file_size: 2 })).resolves.toBe('file_size SIZE_MISMATCH');
    await expect(bad({ file_data: 'YQ' })).resolves.toBe('file_data INVALID_FORMAT');
    await expect(bad({ processing_options: { thumbnail_width: 0, thumbnail_height: 2001 } })).resolves.toBe(
      'processing_options.thumbnail_width INVALID_RANGE, processing_options.thumbnail_height INVALID_RANGE',
    );
    const large = await upload('a.csv', 'text/csv', Buffer.alloc((10 << 20) + 1, 'a'));
    expect(faults(large.body)).toBe('file_data FILE_TOO_LARGE');
    const huge = await image(8000, 8000).png().toBuffer();
    expect(faults((await upload('a.png', 'image/png', huge)).body)).toBe('file_data IMAGE_TOO_LARGE');
    expect((await upload('a.csv', 'text/csv', Buffer.alloc(13 << 20, 'a'))).status).toBe(413);
  });
});

function faults(body: Record<string, unknown>): string {
  const errors = (body.errors ?? []) as { field: string; code: string }[];
  return errors.map(({ field, code }) => `${field} ${code}`).join(', ');
}
