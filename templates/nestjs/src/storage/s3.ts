import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { AwsClient } from 'aws4fetch';

import { type Chunks, contentDisposition, contentType, splitKey, type Storage } from './storage';

export interface S3Settings {
  /** S3_ENDPOINT, such as https://s3.eu-central-1.amazonaws.com. */
  endpoint: string;
  /** S3_PUBLIC_ENDPOINT: the endpoint in links, where browsers reach it by another address; empty: the endpoint. */
  publicEndpoint: string;
  /** S3_BUCKET. */
  bucket: string;
  /** S3_ACCESS_KEY. */
  accessKey: string;
  /** S3_SECRET_KEY. */
  secretKey: string;
  /** S3_REGION, us-east-1. */
  region: string;
}

/** Bounds how long a transfer may stand still. */
const idleTimeoutMs = 30_000;

/** What the server says when it refuses. */
class S3Error extends Error {
  readonly code: string;

  constructor(method: string, status: number, text: string) {
    super(`S3 ${method}: status ${status}: ${text}`);
    this.code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '';
  }
}

/** Keeps files in a bucket of any service that speaks S3, addressed by path. The bucket is made when it is missing. */
export class S3Storage implements Storage {
  private readonly client: AwsClient;

  constructor(
    private readonly settings: S3Settings,
    private readonly ttlSeconds: number,
  ) {
    this.client = new AwsClient({
      accessKeyId: settings.accessKey,
      secretAccessKey: settings.secretKey,
      service: 's3',
      region: settings.region,
    });
  }

  /** S3 wants to know the length first, so the content is collected in a temporary file, never in memory. */
  async write(key: string, chunks: Chunks): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'upload-'));
    try {
      const file = join(folder, 'content');
      await pipeline(Readable.from(chunks), createWriteStream(file));
      const { size } = await stat(file);
      const headers = { 'Content-Type': contentType(key), 'Content-Length': String(size) };
      const put = (): Promise<unknown> => this.send('PUT', this.address(key), headers, createReadStream(file));
      await put().catch(async (error: unknown) => {
        if (!(error instanceof S3Error) || error.code !== 'NoSuchBucket') {
          throw error;
        }
        await this.makeBucket();
        await put();
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async read(key: string): Promise<Readable | null> {
    return this.send('GET', this.address(key), {});
  }

  async url(key: string): Promise<string> {
    const { name } = splitKey(key);
    const url = this.address(key, this.settings.publicEndpoint || undefined);
    url.searchParams.set('X-Amz-Expires', String(this.ttlSeconds));
    url.searchParams.set('response-content-disposition', contentDisposition(name));
    const signed = await this.client.sign(url, { aws: { signQuery: true } });
    return signed.url;
  }

  private async makeBucket(): Promise<void> {
    const { endpoint, bucket, region } = this.settings;
    const where =
      region === 'us-east-1'
        ? ''
        : '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
          `<LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`;
    const length = { 'Content-Length': String(Buffer.byteLength(where)) };
    try {
      await this.send('PUT', new URL(`${trimmed(endpoint)}/${bucket}`), length, Readable.from([where]));
    } catch (error) {
      if (!(error instanceof S3Error) || error.code !== 'BucketAlreadyOwnedByYou') {
        throw error; // unless another call was faster
      }
    }
  }

  /** Sends a signed request. Null: status 404; any other failure is an error with what the server says. */
  private async send(
    method: string,
    address: URL,
    headers: Record<string, string>,
    body?: Readable,
  ): Promise<Readable | null> {
    // The content is not part of the signature: it would have to be read twice. TLS protects it.
    const signed = await this.client.sign(address, {
      method,
      headers: { ...headers, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' },
    });
    const url = new URL(signed.url);
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http)(
        url,
        { method, headers: { ...Object.fromEntries(signed.headers), ...headers }, timeout: idleTimeoutMs },
        (response) => {
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) {
            if (method === 'PUT') {
              response.resume();
            }
            resolve(response);
          } else if (status === 404 && method === 'GET') {
            response.resume();
            resolve(null);
          } else {
            explain(response).then((text) => reject(new S3Error(method, status, text)), reject);
          }
        },
      );
      request.on('timeout', () => request.destroy(new Error(`S3 ${method}: no progress in ${idleTimeoutMs / 1000} s`)));
      request.on('error', reject);
      if (body === undefined) {
        request.end();
      } else {
        body.on('error', (error) => request.destroy(error));
        body.pipe(request);
      }
    });
  }

  private address(key: string, endpoint = this.settings.endpoint): URL {
    const { id, name } = splitKey(key);
    return new URL(`${trimmed(endpoint)}/${this.settings.bucket}/${id}/${encodeURIComponent(name)}`);
  }
}

function trimmed(endpoint: string): string {
  return endpoint.replace(/\/+$/, '');
}

async function explain(response: Readable): Promise<string> {
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    if (text.length > 1000) {
      break;
    }
  }
  return text.slice(0, 1000);
}
