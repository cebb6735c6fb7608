import { Body, Controller, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { Config } from '../common/config';
import { JobsService } from '../jobs/jobs.service';
import { describeJob, noSuchJob } from './job-answer';
import { CancelJobArgs, type JobStatusOutput } from './types.gen';

/** Implements the action cancelJob: it ends a job that waits or runs. */
@Controller('actions')
export class CancelJobController {
  constructor(
    private readonly config: Config,
    private readonly jobs: JobsService,
  ) {}

  /** Cancels the job. Another user's job is answered as one that does not exist. */
  @Post('cancel-job')
  async cancelJob(@Body() args: CancelJobArgs, @Call() { session }: ActionCall): Promise<JobStatusOutput> {
    const userId = session.signedIn(this.config.unauthorizedRole);
    const own = await this.jobs.findOwn(args.job_id, userId, session.trusted);
    const result = own && (await this.jobs.cancel(own.id));
    if (result === null) {
      return noSuchJob();
    }
    const answer = describeJob(result.job);
    return result.cancelled
      ? answer
      : { ...answer, success: false, message: 'Job has already finished', error_code: 'ALREADY_FINISHED' };
  }
}
