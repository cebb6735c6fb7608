import { Injectable } from '@nestjs/common';
import type { Stripe } from 'stripe' with { 'resolution-mode': 'import' };

import { Config } from '../common/config';

/** Bounds one request to Stripe; with its one repetition it stays below the time limit of an action. */
const timeoutMs = 10_000;
const retries = 1;

/** Stripe's client, loaded when it is first needed. Without STRIPE_SECRET_KEY there is none. */
@Injectable()
export class StripeService {
  /** Where the customer's bank sends the browser back to (PAYMENT_RETURN_URL). */
  readonly returnUrl: string;
  private readonly secretKey: string;
  private readonly apiBase: string;
  private client: Promise<Stripe> | null = null;

  constructor(config: Config) {
    const settings = config.section((variables) => ({
      secretKey: variables.text('STRIPE_SECRET_KEY', ''),
      apiBase: variables.url('STRIPE_API_BASE', 'https://api.stripe.com', 'http', 'https'),
      returnUrl: variables.url('PAYMENT_RETURN_URL', `${config.publicUrl}/payment-complete`, 'http', 'https'),
    }));
    this.secretKey = settings.secretKey;
    this.apiBase = settings.apiBase;
    this.returnUrl = settings.returnUrl;
  }

  get configured(): boolean {
    return this.secretKey !== '';
  }

  get api(): Promise<Stripe> {
    this.client ??= this.load();
    return this.client;
  }

  private async load(): Promise<Stripe> {
    const { default: Client } = await import('stripe');
    const { protocol, hostname, port } = new URL(this.apiBase);
    return new Client(this.secretKey, {
      protocol: protocol === 'http:' ? 'http' : 'https',
      host: hostname,
      port: port || (protocol === 'http:' ? 80 : 443),
      timeout: timeoutMs,
      maxNetworkRetries: retries,
      telemetry: false,
    });
  }
}
