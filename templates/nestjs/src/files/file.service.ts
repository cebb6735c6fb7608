import { createHash } from 'node:crypto';

import { Injectable } from '@nestjs/common';

import { Database } from '../common/database';
import { JobQueue } from '../jobs/job-queue';
import { StorageService } from '../storage/storage.service';
import type { ContentType } from './content';
import { fileJob, type FileWork } from './file.job';
import type { ImageSize } from './image-size';

/** A file that is to be stored. */
export interface NewFile {
  /** Null: the admin's. */
  userId: string | null;
  name: string;
  contentType: ContentType;
  content: Buffer;
  /** Null: it is no image. */
  image: ImageSize | null;
  /** The box for an image's thumbnail. */
  box: FileWork['box'];
}

/** How much is written at a time. */
const pieceBytes = 64 << 10;

/** Keeps uploaded files: the content in the storage, the rest in public.files. */
@Injectable()
export class FileService {
  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly storage: StorageService,
  ) {}

  /** Stores a file, and the job that processes it where there is something to do. */
  async store(file: NewFile): Promise<{ id: string; url: string; jobId: string | null }> {
    const id = crypto.randomUUID();
    const key = `${id}/${file.name}`;
    await this.storage.write(key, pieces(file.content));
    const { contentType, image, box } = file;
    const work: FileWork = { file_id: id, storage_key: key, content_type: contentType, image, box };
    const jobs = await this.database.transaction(async (tx) => {
      await tx.query(
        `INSERT INTO public.files (id, user_id, name, content_type, size, sha256, storage_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [
          id,
          file.userId,
          file.name,
          contentType,
          file.content.length,
          createHash('sha256').update(file.content).digest(),
          key,
        ],
      );
      return contentType === 'application/pdf' ? [] : this.queue.store(tx, fileJob, file.userId, [{ ...work }]);
    });
    this.queue.announce(jobs);
    return { id, url: await this.storage.url(key), jobId: jobs[0] ?? null };
  }
}

function* pieces(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += pieceBytes) {
    yield content.subarray(at, at + pieceBytes);
  }
}
