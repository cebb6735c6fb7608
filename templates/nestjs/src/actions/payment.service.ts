import { createHash } from 'node:crypto';

import { Injectable } from '@nestjs/common';
import type { Stripe } from 'stripe' with { 'resolution-mode': 'import' };

import { Database } from '../common/database';
import { StripeService } from './stripe.service';

/** What is to be paid. */
export interface Order {
  customerId: string;
  /** Who asks for it; null: the admin. */
  userId: string | null;
  amount: number;
  /** In lower case. */
  currency: string;
  paymentMethodId: string;
  description: string;
}

export type PaymentState = 'PENDING' | 'SUCCEEDED' | 'FAILED' | 'REQUIRES_ACTION' | 'PROCESSING';

/** A row of public.payments. */
export interface Payment {
  id: string;
  /** PENDING until Stripe has answered. */
  status: PaymentState;
  stripe_payment_intent_id: string | null;
  receipt_url: string | null;
  message: string | null;
  error_code: string | null;
  request_hash: Buffer;
  created_at: Date;
}

/** What became of a payment. */
export interface Outcome {
  payment: Payment;
  /** For the browser, when the customer has to prove themselves. It is never stored. */
  clientSecret: string | null;
}

/** The key of a payment came with another input before. */
export class KeyReusedError extends Error {}

/** How long Stripe remembers idempotency keys at least, with room to spare. */
const keyLifeMs = 23 * 3_600_000;

const columns = 'id, status, stripe_payment_intent_id, receipt_url, message, error_code, request_hash, created_at';

/** Charges payment methods through Stripe, and keeps account of it in public.payments. */
@Injectable()
export class PaymentService {
  constructor(
    private readonly database: Database,
    private readonly stripe: StripeService,
  ) {}

  /** The user who is to pay, or null. */
  async findCustomer(id: string): Promise<{ id: string; email: string; name: string } | null> {
    const { rows } = await this.database.query<{ id: string; email: string; name: string }>(
      'SELECT id, email, name FROM public.users WHERE id = $1',
      [id],
    );
    return rows[0] ?? null;
  }

  /**
   * Charges once for each key of a customer, however often it is called. The row comes first, and its id is Stripe's
   * idempotency key: when the service dies between the two, the next call with the key finds out what Stripe has done. It
   * fails with {@link KeyReusedError}, and with Stripe's errors, of which a refused card is noted.
   */
  async charge(order: Order, key: string): Promise<Outcome> {
    const payment = await this.begin(order, key);
    const api = await this.stripe.api;
    if (payment.status === 'REQUIRES_ACTION' && payment.stripe_payment_intent_id !== null) {
      const intent = await api.paymentIntents.retrieve(payment.stripe_payment_intent_id);
      return { payment, clientSecret: intent.client_secret };
    }
    if (payment.status !== 'PENDING') {
      return { payment, clientSecret: null };
    }
    try {
      const intent = (await this.findLost(api, payment)) ?? (await this.confirm(api, order, payment));
      return { payment: await this.settle(payment, intent), clientSecret: intent.client_secret };
    } catch (error) {
      if (isCardError(error)) {
        await this.save(payment.id, {
          status: 'FAILED',
          stripe_payment_intent_id: error.payment_intent?.id ?? null,
          receipt_url: null,
          message: `Card error: ${error.message}`,
          error_code: 'CARD_ERROR',
        });
      }
      throw error;
    }
  }

  /** Finds a payment that was left pending so long ago that Stripe may have forgotten its idempotency key. */
  private async findLost(api: Stripe, payment: Payment): Promise<Stripe.PaymentIntent | undefined> {
    if (Date.now() - payment.created_at.getTime() < keyLifeMs) {
      return undefined;
    }
    const found = await api.paymentIntents.search({
      query: `metadata['payment_id']:'${payment.id}'`,
      expand: ['data.latest_charge'],
    });
    return found.data[0];
  }

  /** Makes the payment's row, or finds the one that the key has already. */
  private async begin(order: Order, key: string): Promise<Payment> {
    const { customerId, userId, amount, currency, description } = order;
    const hash = createHash('sha256')
      .update(JSON.stringify([amount, currency, order.paymentMethodId, description]))
      .digest();
    const { rows } = await this.database.query<Payment>(
      `INSERT INTO public.payments (customer_id, user_id, amount, currency, description, idempotency_key, request_hash)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT ON CONSTRAINT payments_idempotency_key DO NOTHING
       RETURNING ${columns}`,
      [customerId, userId, amount, currency, description, key, hash],
    );
    if (rows[0] !== undefined) {
      return rows[0];
    }
    const known = await this.database.query<Payment>(
      `SELECT ${columns} FROM public.payments WHERE customer_id = $1 AND idempotency_key = $2`,
      [customerId, key],
    );
    const payment = known.rows[0];
    if (payment === undefined) {
      throw new Error('the payment is gone');
    }
    if (!payment.request_hash.equals(hash)) {
      throw new KeyReusedError();
    }
    return payment;
  }

  private async confirm(api: Stripe, order: Order, payment: Payment): Promise<Stripe.PaymentIntent> {
    return api.paymentIntents.create(
      {
        amount: order.amount,
        currency: order.currency,
        customer: await this.customer(api, order.customerId),
        payment_method: order.paymentMethodId,
        ...(order.description !== '' && { description: order.description }),
        confirm: true,
        off_session: false,
        return_url: this.stripe.returnUrl,
        expand: ['latest_charge'],
        metadata: { payment_id: payment.id },
      },
      { idempotencyKey: payment.id },
    );
  }

  /** The customer that Stripe knows a user as, made when the user first pays. */
  private async customer(api: Stripe, userId: string): Promise<string> {
    const find = async (): Promise<string | undefined> => {
      const { rows } = await this.database.query<{ stripe_customer_id: string }>(
        'SELECT stripe_customer_id FROM public.payment_customers WHERE user_id = $1',
        [userId],
      );
      return rows[0]?.stripe_customer_id;
    };
    const known = await find();
    if (known !== undefined) {
      return known;
    }
    const user = await this.findCustomer(userId);
    const made = await api.customers.create(
      { email: user?.email, name: user?.name, metadata: { user_id: userId } },
      { idempotencyKey: `customer-${userId}` },
    );
    await this.database.query(
      'INSERT INTO public.payment_customers (user_id, stripe_customer_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [userId, made.id],
    );
    return (await find()) ?? made.id;
  }

  /** Stores what the state of Stripe's intent means for the payment. */
  private settle(payment: Payment, intent: Stripe.PaymentIntent): Promise<Payment> {
    const [status, message] = outcome(intent.status);
    const charge = typeof intent.latest_charge === 'object' ? intent.latest_charge : null;
    return this.save(payment.id, {
      status,
      stripe_payment_intent_id: intent.id,
      receipt_url: charge?.receipt_url ?? null,
      message,
      error_code: null,
    });
  }

  private async save(
    id: string,
    to: Pick<Payment, 'status' | 'stripe_payment_intent_id' | 'receipt_url' | 'message' | 'error_code'>,
  ): Promise<Payment> {
    const { rows } = await this.database.query<Payment>(
      `UPDATE public.payments SET status = $2, stripe_payment_intent_id = $3, receipt_url = $4, message = $5,
         error_code = $6, updated_at = now()
       WHERE id = $1 RETURNING ${columns}`,
      [id, to.status, to.stripe_payment_intent_id, to.receipt_url, to.message, to.error_code],
    );
    if (rows[0] === undefined) {
      throw new Error('the payment is gone');
    }
    return rows[0];
  }
}

function outcome(status: string): [PaymentState, string] {
  switch (status) {
    case 'succeeded':
      return ['SUCCEEDED', 'Payment processed successfully'];
    case 'requires_action':
      return ['REQUIRES_ACTION', 'Additional authentication required'];
    case 'processing':
      return ['PROCESSING', 'Payment is being processed'];
    default:
      return ['FAILED', `Payment failed: ${status}`];
  }
}

/** Whether an error says that the card was refused; its message is for the customer. */
export function isCardError(error: unknown): error is Stripe.errors.StripeCardError {
  return error instanceof Error && 'type' in error && error.type === 'StripeCardError';
}
