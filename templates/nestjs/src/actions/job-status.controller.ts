import { Body, Controller, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { Frequent } from '../common/action-registry';
import { Config } from '../common/config';
import { JobsService } from '../jobs/jobs.service';
import { StorageService } from '../storage/storage.service';
import { describeJob, noSuchJob } from './job-answer';
import { JobStatusArgs, type JobStatusOutput } from './types.gen';

/** Implements the action jobStatus: it tells how far a job is, and links to its result. */
@Controller('actions')
export class JobStatusController {
  constructor(
    private readonly config: Config,
    private readonly jobs: JobsService,
    private readonly storage: StorageService,
  ) {}

  /** Reads the job. Another user's job is answered as one that does not exist. */
  @Frequent() // callers ask again and again until a job is done
  @Post('job-status')
  async jobStatus(@Body() args: JobStatusArgs, @Call() { session }: ActionCall): Promise<JobStatusOutput> {
    const userId = session.signedIn(this.config.unauthorizedRole);
    const job = await this.jobs.findOwn(args.job_id, userId, session.trusted);
    if (job === null) {
      return noSuchJob();
    }
    const found = job.status === 'SUCCEEDED' && job.result_key !== null;
    return { ...describeJob(job), result_url: found ? await this.storage.url(job.result_key ?? '') : null };
  }
}
