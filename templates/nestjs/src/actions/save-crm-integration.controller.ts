import { Body, Controller, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { ActionError, Code } from '../common/action-error';
import { Config } from '../common/config';
import { Logger } from '../common/logger';
import { NoKeyError } from '../crm/cipher';
import { Targets } from '../crm/targets';
import { IntegrationService } from './integration.service';
import { SaveCrmIntegrationArgs, type SaveCrmIntegrationOutput, type ValidationError } from './types.gen';

const maxApiKey = 4096;

/** Implements the action saveCrmIntegration. */
@Controller('actions')
export class SaveCrmIntegrationController {
  constructor(
    private readonly config: Config,
    private readonly targets: Targets,
    private readonly integrations: IntegrationService,
    private readonly logger: Logger,
  ) {}

  /** Connects the user's CRM. */
  @Post('save-crm-integration')
  async saveCrmIntegration(
    @Body() { input }: SaveCrmIntegrationArgs,
    @Call() { session }: ActionCall,
  ): Promise<SaveCrmIntegrationOutput> {
    const userId = session.signedIn(this.config.unauthorizedRole);
    if (userId === '') {
      throw ActionError.signIn();
    }
    const endpoint = input.endpoint.trim();
    const apiKey = input.api_key.trim();
    const errors = await this.faults(endpoint, apiKey);
    if (errors.length > 0) {
      return { success: false, message: 'Validation failed', errors, error_code: Code.validation };
    }
    try {
      await this.integrations.saveCRMSettings(userId, { endpoint, api_key: apiKey });
    } catch (error) {
      if (!(error instanceof NoKeyError)) {
        throw error;
      }
      this.logger.error('the integration cannot be encrypted: ENCRYPTION_KEY is not set');
      const message = 'Encryption is not configured';
      return { success: false, message, errors: null, error_code: 'ENCRYPTION_NOT_CONFIGURED' };
    }
    return { success: true, message: 'CRM integration saved', errors: null, error_code: null };
  }

  private async faults(endpoint: string, apiKey: string): Promise<ValidationError[]> {
    const errors: ValidationError[] = [];
    const code = await this.targets.fault(endpoint);
    if (endpoint === '') {
      errors.push({ field: 'endpoint', message: 'Endpoint is required', code: 'REQUIRED_FIELD' });
    } else if (code !== null) {
      const what = code === 'INVALID_URL' ? 'be an https URL' : 'not be a private address';
      errors.push({ field: 'endpoint', message: `Endpoint must ${what}`, code });
    }
    if (apiKey === '') {
      errors.push({ field: 'api_key', message: 'API key is required', code: 'REQUIRED_FIELD' });
    } else if (apiKey.length > maxApiKey || !/^[!-~]+$/.test(apiKey)) {
      // It would not fit into a header.
      errors.push({ field: 'api_key', message: 'API key is not valid', code: 'INVALID_FORMAT' });
    }
    return errors;
  }
}
