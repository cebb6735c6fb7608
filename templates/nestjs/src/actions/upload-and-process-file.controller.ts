import { Body, Controller, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { Code } from '../common/action-error';
import { ActionTimeout, MaxBodyBytes } from '../common/action-registry';
import { Config } from '../common/config';
import { FileService } from '../files/file.service';
import { type FileUploadOutput, UploadAndProcessFileArgs } from './types.gen';
import { checkUpload } from './upload-and-process-file.rules';

/**
 * Implements the action uploadAndProcessFile: it stores the file and answers with links that expire. A job makes a
 * thumbnail of an image, or the statistics of a CSV file; jobStatus tells where its result lies.
 */
@Controller('actions')
export class UploadAndProcessFileController {
  constructor(
    private readonly config: Config,
    private readonly files: FileService,
  ) {}

  @MaxBodyBytes(16 << 20)
  @ActionTimeout(50_000)
  @Post('upload-and-process-file')
  async uploadAndProcessFile(
    @Body() { input }: UploadAndProcessFileArgs,
    @Call() { session }: ActionCall,
  ): Promise<FileUploadOutput> {
    const userId = session.signedIn(this.config.unauthorizedRole) || null;
    const upload = checkUpload(input);
    if (Array.isArray(upload)) {
      return {
        success: false,
        file_id: null,
        file_url: null,
        processing_job_id: null,
        message: 'Validation failed',
        errors: upload,
        error_code: Code.validation,
      };
    }
    const { id, url, jobId } = await this.files.store({ userId, ...upload });
    return {
      success: true,
      file_id: id,
      file_url: url,
      processing_job_id: jobId,
      message: 'File uploaded',
      errors: null,
      error_code: null,
    };
  }
}
