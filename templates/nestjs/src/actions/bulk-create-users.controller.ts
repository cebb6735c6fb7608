import { Body, Controller, Post } from '@nestjs/common';

import { Code } from '../common/action-error';
import { MaxBodyBytes } from '../common/action-registry';
import { Logger } from '../common/logger';
import { BulkUserService } from './bulk-user.service';
import { BulkCreateUsersArgs, type BulkCreateUsersOutput } from './types.gen';

const maxUsers = 10_000;

/** Implements the action bulkCreateUsers. */
@Controller('actions')
export class BulkCreateUsersController {
  constructor(
    private readonly users: BulkUserService,
    private readonly logger: Logger,
  ) {}

  /** Makes the accounts that can be made, and says of each other one why not. Without a password nobody can sign in. */
  @MaxBodyBytes(8 << 20)
  @Post('bulk-create-users')
  async bulkCreateUsers(@Body() { input }: BulkCreateUsersArgs): Promise<BulkCreateUsersOutput> {
    if (input.users.length === 0) {
      return refused('users', 'At least one user is required', 'REQUIRED_FIELD');
    }
    if (input.users.length > maxUsers) {
      return refused('users', 'At most 10,000 users can be created at once', 'TOO_MANY_USERS');
    }
    const results = await this.users.create(input.users, input.send_invitations ?? false);
    const created = results.filter((result) => result.success).length;
    const failed = results.length - created;
    this.logger.info('users created', { created_count: created, failed_count: failed });
    return {
      success: failed === 0,
      created_count: created,
      failed_count: failed,
      results,
      message: failed === 0 ? `${created} users created` : `${created} users created, ${failed} failed`,
      errors: null,
      error_code: null,
    };
  }
}

function refused(field: string, message: string, code: string): BulkCreateUsersOutput {
  return {
    success: false,
    created_count: 0,
    failed_count: 0,
    results: [],
    message: 'Validation failed',
    errors: [{ field, message, code }],
    error_code: Code.validation,
  };
}
