import { Injectable } from '@nestjs/common';

import { Database } from '../common/database';
import { Cipher } from '../crm/cipher';

/** How to reach a user's CRM. */
export interface CrmSettings {
  endpoint: string;
  api_key: string;
}

/** Keeps the settings of users' CRMs. The API key is encrypted and leaves this service for the CRM only. */
@Injectable()
export class IntegrationService {
  constructor(
    private readonly database: Database,
    private readonly cipher: Cipher,
  ) {}

  /** The settings of a user, or null. It fails with {@link NoKeyError} or {@link UnreadableError}. */
  async getCRMSettings(userId: string): Promise<CrmSettings | null> {
    const { rows } = await this.database.query<{ endpoint: string; api_key_encrypted: Buffer }>(
      'SELECT endpoint, api_key_encrypted FROM public.crm_integrations WHERE user_id = $1',
      [userId],
    );
    const row = rows[0];
    return row === undefined
      ? null
      : { endpoint: row.endpoint, api_key: this.cipher.decrypt(row.api_key_encrypted, userId) };
  }

  /** Stores the settings of a user in the place of those before. It fails with {@link NoKeyError}. */
  async saveCRMSettings(userId: string, settings: CrmSettings): Promise<void> {
    await this.database.query(
      `INSERT INTO public.crm_integrations (user_id, endpoint, api_key_encrypted) VALUES ($1, $2, $3)
       ON CONFLICT (user_id) DO UPDATE SET endpoint = $2, api_key_encrypted = $3, updated_at = now()`,
      [userId, settings.endpoint, this.cipher.encrypt(settings.api_key, userId)],
    );
  }
}
