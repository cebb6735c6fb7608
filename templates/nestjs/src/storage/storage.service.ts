import type { Readable } from 'node:stream';

import { Injectable } from '@nestjs/common';

import { Config } from '../common/config';
import { FileUrls } from './file-urls';
import { LocalStorage } from './local';
import { S3Storage } from './s3';
import type { Chunks, Storage } from './storage';

/**
 * The service's storage: the bucket of the S3_* variables where these are set, else the folder STORAGE_DIR (./storage).
 * Links to files work for FILE_URL_TTL_SECONDS (900).
 */
@Injectable()
export class StorageService implements Storage {
  readonly urls: FileUrls;
  /** The folder's files, or null where a bucket keeps them: then the service serves none. */
  readonly local: LocalStorage | null;
  private readonly storage: Storage;

  constructor(config: Config) {
    const settings = config.section((variables) => {
      const s3 = {
        endpoint: variables.url('S3_ENDPOINT', '', 'http', 'https'),
        publicEndpoint: variables.url('S3_PUBLIC_ENDPOINT', '', 'http', 'https'),
        bucket: variables.text('S3_BUCKET', ''),
        accessKey: variables.text('S3_ACCESS_KEY', ''),
        secretKey: variables.text('S3_SECRET_KEY', ''),
        region: variables.text('S3_REGION', 'us-east-1'),
      };
      if (s3.endpoint !== '' && [s3.bucket, s3.accessKey, s3.secretKey].includes('')) {
        variables.problems.push('S3_ENDPOINT is set, so S3_BUCKET, S3_ACCESS_KEY and S3_SECRET_KEY must be too');
      }
      return {
        s3,
        directory: variables.text('STORAGE_DIR', 'storage'),
        ttlSeconds: variables.integer('FILE_URL_TTL_SECONDS', 900, 1, 604_800),
      };
    });
    this.urls = new FileUrls(config.adminSecret, config.publicUrl, settings.ttlSeconds);
    this.local = settings.s3.endpoint === '' ? new LocalStorage(settings.directory, this.urls) : null;
    this.storage = this.local ?? new S3Storage(settings.s3, settings.ttlSeconds);
  }

  write(key: string, chunks: Chunks): Promise<void> {
    return this.storage.write(key, chunks);
  }

  read(key: string): Promise<Readable | null> {
    return this.storage.read(key);
  }

  url(key: string): Promise<string> {
    return this.storage.url(key);
  }
}
