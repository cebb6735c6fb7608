import { request as http, type IncomingMessage } from 'node:http';
import { request as https } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

import { ForbiddenTargetError, type Targets } from './targets';

/** A contact as the CRM gets it. */
export interface Contact {
  email: string;
  name: string;
  phone: string | null;
  company: string | null;
}

/** Why contacts were not synced, as the user may read it. */
export class CrmError extends Error {
  /** Later requests would fail too. */
  readonly final: boolean;

  constructor(message: string, options: { final?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.final = options.final ?? false;
  }
}

const tooLong = 'CRM took too long';

/** The waits before the repetitions of a request. */
const waitsMs = [500, 1000, 2000];

/** The longest wait that a CRM may ask for. */
const maxRetryAfterMs = 10_000;

/** Bounds one request, what is read of its answer, and what the CRM may say about a contact, in characters. */
const requestTimeoutMs = 10_000;
const maxAnswerBytes = 1 << 20;
const maxReason = 500;

interface Answer {
  status: number;
  retryAfter: string;
  body: string;
}

/** Talks to one user's CRM. */
export class CrmClient {
  private readonly url: URL;

  constructor(
    endpoint: string,
    private readonly apiKey: string,
    private readonly targets: Targets,
    private readonly signal: AbortSignal,
    private readonly headers: Record<string, string> = {},
  ) {
    this.url = new URL(`${endpoint.replace(/\/+$/, '')}/contacts`);
  }

  /** Sends a batch of contacts, again where that may help; returns why each was not taken, or null for one that was. */
  async send(contacts: readonly Contact[], idempotencyKey: string): Promise<(string | null)[]> {
    const body = JSON.stringify({
      contacts: contacts.map(({ email, name, phone, company }) => ({ email, name, phone, company })),
    });
    for (let attempt = 0; ; attempt++) {
      const answer = await this.post(body, idempotencyKey).catch((error: unknown) => error as Error);
      if (this.signal.aborted) {
        throw new CrmError(tooLong, { final: true });
      }
      if (!(answer instanceof Error) && answer.status >= 200 && answer.status < 300) {
        return this.read(answer.body, contacts);
      }
      const refusal = explain(answer);
      const wait = waitsMs[attempt];
      if (wait === undefined || !mayHelp(answer)) {
        throw refusal;
      }
      await this.wait((answer instanceof Error ? 0 : retryAfterMs(answer)) || wait);
    }
  }

  private async wait(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.signal });
    } catch {
      throw new CrmError(tooLong, { final: true });
    }
  }

  /** Redirects are not followed: they are failures, as any other status that is not a success. */
  private async post(body: string, idempotencyKey: string): Promise<Answer> {
    const options = {
      method: 'POST',
      headers: {
        ...this.headers,
        Accept: 'application/json',
        Authorization: `Bearer ${this.apiKey}`,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
        'Idempotency-Key': idempotencyKey,
      },
      lookup: this.targets.lookup(this.url),
      agent: false, // no connection of one user's CRM serves another's
      signal: AbortSignal.any([this.signal, AbortSignal.timeout(requestTimeoutMs)]),
    };
    return new Promise((resolve, reject) => {
      const request = (this.url.protocol === 'http:' ? http : https)(this.url, options, (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  /** Reads {"results": [{"email", "success", "error"}]}. A contact that is not in there has been taken. */
  private read(body: string, contacts: readonly Contact[]): (string | null)[] {
    const reasons = new Map<unknown, string>();
    for (const { email, success, error } of results(body)) {
      if (success === false) {
        reasons.set(email, this.harmless(typeof error === 'string' ? error : ''));
      }
    }
    return contacts.map((contact) => reasons.get(contact.email) ?? null);
  }

  /** Bounds the CRM's text and takes the key out of it. */
  private harmless(text: string): string {
    const clean = text.replaceAll('\0', '').replaceAll(this.apiKey, '[redacted]').trim();
    return clean === '' ? 'CRM refused the contact' : [...clean].slice(0, maxReason).join('');
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) {
      response.destroy();
      break;
    }
    chunks.push(chunk);
  }
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'] ?? '',
    body: Buffer.concat(chunks).toString('utf8'),
  };
}

function mayHelp(answer: Answer | Error): boolean {
  return answer instanceof Error
    ? !(answer instanceof ForbiddenTargetError)
    : answer.status === 429 || answer.status >= 500;
}

function explain(answer: Answer | Error): CrmError {
  if (answer instanceof ForbiddenTargetError) {
    return new CrmError('CRM endpoint is not allowed', { final: true, cause: answer });
  }
  if (answer instanceof Error) {
    return new CrmError('CRM could not be reached', { cause: answer });
  }
  switch (answer.status) {
    case 401:
    case 403:
      return new CrmError('CRM refused the API key', { final: true });
    case 429:
      return new CrmError('CRM is limiting requests');
    default:
      return new CrmError(`CRM answered with status ${answer.status}`);
  }
}

/** What the header Retry-After asks for, in seconds or as a date; undefined when it is not there. */
function retryAfterMs({ status, retryAfter }: Answer): number | undefined {
  if (status !== 429 || retryAfter === '') {
    return undefined;
  }
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), maxRetryAfterMs);
}

/** The results in an answer: none in one that is empty, or not JSON at all. */
function results(body: string): Record<string, unknown>[] {
  try {
    const parsed = JSON.parse(body) as { results?: unknown } | null;
    const list = parsed?.results;
    return Array.isArray(list)
      ? (list as Record<string, unknown>[]).filter((item) => typeof item === 'object' && item !== null)
      : [];
  } catch {
    return [];
  }
}
