import { Injectable } from '@nestjs/common';

import { Database } from '../common/database';
import { JobQueue } from '../jobs/job-queue';
import { JobError, type JobHandler, type JobRun } from '../jobs/job-run';
import { StorageService } from '../storage/storage.service';
import { type Report, writeReport } from './report';

export const reportJob = 'report';

/** Writes the report of a job to the storage. */
@Injectable()
export class ReportJob implements JobHandler {
  constructor(
    queue: JobQueue,
    private readonly database: Database,
    private readonly storage: StorageService,
  ) {
    queue.handle(reportJob, this);
  }

  /** The file's name follows from the job's id: whoever does the job again replaces it. */
  async run(job: JobRun): Promise<string> {
    const key = `${job.id}/report.csv`;
    const report = job.payload as unknown as Report;
    try {
      await this.storage.write(
        key,
        writeReport(this.database, report, (percent) => job.progress(percent)),
      );
    } catch (cause) {
      throw new JobError('The report could not be generated', { cause });
    }
    return key;
  }
}
