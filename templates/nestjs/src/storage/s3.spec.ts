import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type S3Settings, S3Storage } from './s3';

const id = '7f2a3a4e-0000-4000-8000-000000000001';

describe('S3Storage', () => {
  const objects = new Map<string, Buffer>();
  const buckets = new Set<string>();
  let last: IncomingMessage;
  let server: Server;
  let settings: S3Settings;
  let storage: S3Storage;

  beforeAll(async () => {
    server = createServer((request, response) => {
      last = request;
      const path = (request.url ?? '').split('?')[0] ?? '';
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (path.includes('broken')) {
          response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
        } else if (request.method === 'PUT' && path === '/files') {
          buckets.add(Buffer.concat(chunks).toString());
          response.end();
        } else if (buckets.size === 0) {
          response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>');
        } else if (request.method === 'PUT') {
          objects.set(path, Buffer.concat(chunks));
          response.end();
        } else {
          const object = objects.get(path);
          response.writeHead(object === undefined ? 404 : 200).end(object);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    settings = { endpoint, publicEndpoint: '', bucket: 'files', accessKey: 'AK', secretKey: 'SK', region: 'eu-1' };
    storage = new S3Storage(settings, 900);
  });

  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  it('keeps files in the bucket', async () => {
    const content = randomBytes(300_000);
    await storage.write(`${id}/a b.csv`, [content.subarray(0, 100_000), content.subarray(100_000)]);
    expect(last.headers).toMatchObject({
      'content-length': '300000',
      'content-type': 'text/csv; charset=utf-8',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    });
    expect(last.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AK\/\d{8}\/eu-1\/s3\/aws4_request, /);
    expect(last.headers['transfer-encoding']).toBeUndefined();
    const chunks: Buffer[] = [];
    for await (const chunk of (await storage.read(`${id}/a b.csv`)) ?? []) {
      chunks.push(chunk as Buffer);
    }
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
    expect([...objects.keys()]).toEqual([`/files/${id}/a%20b.csv`]);
    expect([...buckets]).toEqual([expect.stringContaining('<LocationConstraint>eu-1</LocationConstraint>')]);
  });

  it('tells what is not there from what went wrong', async () => {
    await expect(storage.read(`${id}/none`)).resolves.toBeNull();
    await expect(storage.read(`${id}/broken`)).rejects.toThrow('S3 GET: status 403: <Error><Code>AccessDenied');
    await expect(storage.write(`${id}/broken`, [Buffer.from('x')])).rejects.toThrow('S3 PUT: status 403');
    const failing = (function* (): Generator<Buffer> {
      yield Buffer.from('x');
      throw new Error('no more');
    })();
    await expect(storage.write(`${id}/half`, failing)).rejects.toThrow('no more');
    expect(objects.has(`/files/${id}/half`)).toBe(false);
  });

  it('signs addresses that expire', async () => {
    const url = new URL(await storage.url(`${id}/a b.csv`));
    expect(url.pathname).toBe(`/files/${id}/a%20b.csv`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      'X-Amz-Expires': '900',
      'response-content-disposition': 'attachment; filename="a b.csv"',
      'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  it('signs addresses at which browsers reach the server', async () => {
    const outside = new S3Storage({ ...settings, publicEndpoint: 'https://files.example.com/' }, 900);
    const url = new URL(await outside.url(`${id}/a.csv`));
    expect(url.origin + url.pathname).toBe(`https://files.example.com/files/${id}/a.csv`);
    await outside.write(`${id}/outside.csv`, [Buffer.from('x')]);
    expect(objects.has(`/files/${id}/outside.csv`)).toBe(true);
  });
});
