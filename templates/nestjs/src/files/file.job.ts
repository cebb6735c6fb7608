import type { Readable } from 'node:stream';

import { Injectable } from '@nestjs/common';

import { JobQueue } from '../jobs/job-queue';
import { JobError, type JobHandler, type JobRun } from '../jobs/job-run';
import { StorageService } from '../storage/storage.service';
import type { ContentType } from './content';
import { csvStatistics } from './csv-statistics';
import { ImageError, thumbnail } from './image';
import type { ImageSize } from './image-size';

export const fileJob = 'file';

/** What the user learns of a failure. */
const message = 'The file could not be processed';

/** A job's payload. */
export interface FileWork {
  file_id: string;
  storage_key: string;
  content_type: ContentType;
  /** Null: it is no image. */
  image: ImageSize | null;
  /** The box for the thumbnail. */
  box: { width: number; height: number };
}

/**
 * Processes an uploaded file: makes a thumbnail of an image, takes the statistics of a CSV file. Results lie under the
 * job's id, so that whoever does the job again replaces them.
 */
@Injectable()
export class FileJob implements JobHandler {
  constructor(
    queue: JobQueue,
    private readonly storage: StorageService,
  ) {
    queue.handle(fileJob, this);
  }

  async run(job: JobRun): Promise<string> {
    const work = job.payload as unknown as FileWork;
    const content = await this.storage.read(work.storage_key);
    if (content === null) {
      throw new JobError(message);
    }
    try {
      return work.content_type === 'text/csv' ? await this.csv(job, content) : await this.image(job, work, content);
    } catch (cause) {
      // What cannot be decoded now cannot be decoded later either.
      throw new JobError(message, { final: cause instanceof ImageError, cause });
    } finally {
      content.destroy();
    }
  }

  private async csv(job: JobRun, content: Readable): Promise<string> {
    const statistics = await csvStatistics(content);
    await job.progress(50);
    return this.result(job, statistics);
  }

  private async image(job: JobRun, work: FileWork, content: Readable): Promise<string> {
    const jpeg = work.content_type === 'image/jpeg';
    const small = await thumbnail(content, jpeg ? 'jpeg' : 'png', work.box);
    await job.progress(50);
    const key = `${job.id}/thumbnail.${jpeg ? 'jpg' : 'png'}`;
    await this.storage.write(key, [small]);
    await this.result(job, {
      width: work.image?.width,
      height: work.image?.height,
      format: work.image?.format,
      thumbnail_key: key,
    });
    return key;
  }

  private async result(job: JobRun, result: object): Promise<string> {
    const key = `${job.id}/result.json`;
    await this.storage.write(key, [Buffer.from(JSON.stringify(result))]);
    return key;
  }
}
