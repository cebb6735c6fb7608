import { Body, Controller, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { ActionError, Code } from '../common/action-error';
import { ActionTimeout } from '../common/action-registry';
import { Config } from '../common/config';
import { Logger } from '../common/logger';
import { NoKeyError, UnreadableError } from '../crm/cipher';
import type { Contact } from '../crm/crm-client';
import { ContactService } from './contact.service';
import { CrmService } from './crm.service';
import { type CrmSettings, IntegrationService } from './integration.service';
import { type CrmContactInput, SyncWithCrmArgs, type SyncWithCrmOutput, type ValidationError } from './types.gen';

const maxContacts = 5000;

/** Implements the action syncWithCrm. */
@Controller('actions')
export class SyncWithCrmController {
  constructor(
    private readonly config: Config,
    private readonly integrationService: IntegrationService,
    private readonly crmService: CrmService,
    private readonly contactService: ContactService,
    private readonly logger: Logger,
  ) {}

  /** Sends contacts to the CRM that the user has connected, and notes what became of each. */
  @ActionTimeout(50_000)
  @Post('sync-with-crm')
  async syncWithCrm(@Body() { input }: SyncWithCrmArgs, @Call() { session }: ActionCall): Promise<SyncWithCrmOutput> {
    const userId = session.signedIn(this.config.unauthorizedRole);
    if (userId === '') {
      throw ActionError.signIn();
    }
    if (input.contacts.length === 0) {
      return refused('At least one contact is required', 'REQUIRED_FIELD');
    }
    if (input.contacts.length > maxContacts) {
      return refused('At most 5,000 contacts can be synced at once', 'TOO_MANY_CONTACTS');
    }
    const contacts = input.contacts.map(storable);
    let integration: CrmSettings | null;
    try {
      integration = await this.integrationService.getCRMSettings(userId);
    } catch (error) {
      return this.unreadable(error, contacts.length);
    }
    if (integration === null) {
      return failed('No CRM integration is set up', 'CRM_NOT_CONFIGURED', contacts.length);
    }
    await this.contactService.begin(userId, contacts);
    const crmResult = await this.crmService.syncContacts({
      apiKey: integration.api_key,
      endpoint: integration.endpoint,
      contacts,
    });
    await this.contactService.updateSyncStatus(userId, crmResult);
    const { synced_count, failed_count } = crmResult;
    this.logger.info('contacts sent', { synced_count, failed_count });
    if (synced_count === 0) {
      return failed(crmResult.error, null, failed_count);
    }
    return {
      success: failed_count === 0,
      synced_count,
      failed_count,
      message: failed_count === 0 ? 'CRM sync completed successfully' : 'CRM sync completed with failures',
      error: null,
      errors: null,
      error_code: null,
    };
  }

  private unreadable(error: unknown, contacts: number): SyncWithCrmOutput {
    if (!(error instanceof NoKeyError) && !(error instanceof UnreadableError)) {
      throw error;
    }
    this.logger.error('the integration cannot be decrypted', { error });
    return error instanceof NoKeyError
      ? failed('Encryption is not configured', 'ENCRYPTION_NOT_CONFIGURED', contacts)
      : failed('The CRM API key must be saved again', 'CRM_KEY_UNREADABLE', contacts);
  }
}

/** Drops what Postgres cannot keep. */
function storable({ email, name, phone, company }: CrmContactInput): Contact {
  const clean = (text: string): string => text.replaceAll('\0', '');
  return { email: clean(email), name: clean(name), phone: phone && clean(phone), company: company && clean(company) };
}

function failed(error: string | null, error_code: string | null, failed_count: number): SyncWithCrmOutput {
  const message = 'CRM sync failed';
  return { success: false, synced_count: 0, failed_count, message, error, errors: null, error_code };
}

function refused(message: string, code: string): SyncWithCrmOutput {
  const errors: ValidationError[] = [{ field: 'contacts', message, code }];
  return { ...failed(null, Code.validation, 0), message: 'Validation failed', errors };
}
