import { Body, Controller, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { Code } from '../common/action-error';
import { Config } from '../common/config';
import { Database } from '../common/database';
import { JobQueue } from '../jobs/job-queue';
import { countRows, estimateSeconds } from '../reports/report';
import { reportJob } from '../reports/report.job';
import { checkReport } from './generate-report.rules';
import { GenerateReportArgs, type GenerateReportOutput, JobStatus } from './types.gen';

/**
 * Implements the action generateReport: it makes a job and answers with its id at once. The job writes the report to the
 * storage; jobStatus tells where.
 */
@Controller('actions')
export class GenerateReportController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly queue: JobQueue,
  ) {}

  @Post('generate-report')
  async generateReport(
    @Body() { input }: GenerateReportArgs,
    @Call() { session }: ActionCall,
  ): Promise<GenerateReportOutput> {
    const userId = session.signedIn(this.config.unauthorizedRole);
    const { report, errors } = checkReport(input);
    if (errors.length > 0) {
      return {
        success: false,
        job_id: null,
        status: null,
        estimated_duration: null,
        message: 'Validation failed',
        errors,
        error_code: Code.validation,
      };
    }
    const rows = await countRows(this.database, report);
    const id = await this.queue.add(reportJob, userId || null, { ...report });
    return {
      success: true,
      job_id: id,
      status: JobStatus.QUEUED,
      estimated_duration: estimateSeconds(rows),
      message: 'Report queued',
      errors: null,
      error_code: null,
    };
  }
}
