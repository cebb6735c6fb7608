import { randomUUID } from 'node:crypto';

import { Injectable } from '@nestjs/common';

import { Logger } from '../common/logger';
import { Tracing } from '../common/tracing';
import { type Contact, CrmClient, CrmError } from '../crm/crm-client';
import { Targets } from '../crm/targets';

const batchSize = 100;

/** Bounds a whole sync: the caller of the action is waiting for it. */
const deadlineMs = 45_000;

/** What became of contacts. */
export interface CrmResult {
  /** The error is null for a contact that was synced. */
  contacts: { contact: Contact; error: string | null }[];
  synced_count: number;
  failed_count: number;
  /** Why the first of those that failed did. */
  error: string | null;
}

/** Sends contacts to the CRM of a user. */
@Injectable()
export class CrmService {
  constructor(
    private readonly targets: Targets,
    private readonly tracing: Tracing,
    private readonly logger: Logger,
  ) {}

  /**
   * Sends the contacts in batches. A batch that fails does not keep the next from being sent, unless that
   * would fail too, as with a key that is refused.
   */
  async syncContacts(sync: { apiKey: string; endpoint: string; contacts: readonly Contact[] }): Promise<CrmResult> {
    const signal = AbortSignal.timeout(deadlineMs);
    const client = new CrmClient(sync.endpoint, sync.apiKey, this.targets, signal, this.tracing.headers());
    const contacts: CrmResult['contacts'] = [];
    let stop: string | null = null; // why nothing more is sent
    for (let at = 0; at < sync.contacts.length; at += batchSize) {
      const batch = sync.contacts.slice(at, at + batchSize);
      let errors = batch.map(() => stop);
      if (stop === null) {
        try {
          errors = await client.send(batch, randomUUID());
        } catch (error) {
          if (!(error instanceof CrmError)) {
            throw error;
          }
          this.logger.warn('contacts not sent', { error });
          errors = batch.map(() => error.message);
          stop = error.final ? error.message : null;
        }
      }
      contacts.push(...batch.map((contact, n) => ({ contact, error: errors[n] ?? null })));
    }
    const failed = contacts.filter(({ error }) => error !== null);
    return {
      contacts,
      synced_count: contacts.length - failed.length,
      failed_count: failed.length,
      error: failed[0]?.error ?? null,
    };
  }
}
