import { Injectable } from '@nestjs/common';

import { Database } from '../common/database';
import type { Contact } from '../crm/crm-client';
import type { CrmResult } from './crm.service';

/** Keeps what has become of each contact that was sent to a user's CRM. */
@Injectable()
export class ContactService {
  constructor(private readonly database: Database) {}

  /** Notes that contacts are being sent. */
  async begin(userId: string, contacts: readonly Contact[]): Promise<void> {
    await this.save(
      userId,
      contacts.map((contact) => ({ contact, error: null })),
      true,
    );
  }

  /** Notes what became of the contacts. */
  async updateSyncStatus(userId: string, result: CrmResult): Promise<void> {
    await this.save(userId, result.contacts, false);
  }

  private async save(userId: string, contacts: CrmResult['contacts'], pending: boolean): Promise<void> {
    // A statement cannot touch a row twice: of a contact that is listed twice, the last counts.
    const unique = [...new Map(contacts.map((entry) => [entry.contact.email, entry])).values()];
    await this.database.query(
      `INSERT INTO public.crm_contacts (user_id, email, name, phone, company, status, error, synced_at)
       SELECT $1, email, name, phone, company,
         CASE WHEN $7 THEN 'PENDING' WHEN error IS NULL THEN 'SYNCED' ELSE 'FAILED' END, error,
         CASE WHEN NOT $7 AND error IS NULL THEN now() END
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS c (email, name, phone, company, error)
       ON CONFLICT (user_id, email) DO UPDATE SET name = excluded.name, phone = excluded.phone,
         company = excluded.company, status = excluded.status, error = excluded.error,
         synced_at = coalesce(excluded.synced_at, crm_contacts.synced_at), updated_at = now()`,
      [
        userId,
        unique.map(({ contact }) => contact.email),
        unique.map(({ contact }) => contact.name),
        unique.map(({ contact }) => contact.phone),
        unique.map(({ contact }) => contact.company),
        unique.map(({ error }) => error),
        pending,
      ],
    );
  }
}
