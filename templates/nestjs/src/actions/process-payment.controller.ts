import { randomUUID } from 'node:crypto';

import { Body, Controller, Headers, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { ActionError, Code } from '../common/action-error';
import { Config } from '../common/config';
import { Logger } from '../common/logger';
import { isCardError, KeyReusedError, type Outcome, PaymentService } from './payment.service';
import { noCustomer, normalisePayment, paymentFaults } from './process-payment.rules';
import { StripeService } from './stripe.service';
import { PaymentStatus, type PaymentOutput, ProcessPaymentArgs, type ValidationError } from './types.gen';

/** Implements the action processPayment. */
@Controller('actions')
export class ProcessPaymentController {
  constructor(
    private readonly config: Config,
    private readonly payments: PaymentService,
    private readonly stripe: StripeService,
    private readonly logger: Logger,
  ) {}

  /**
   * Charges a payment method. With the header Idempotency-Key a repeated call charges once, and gets the same answer. Users
   * pay for themselves only; the admin for anyone.
   */
  @Post('process-payment')
  async processPayment(
    @Body() { input }: ProcessPaymentArgs,
    @Call() { session }: ActionCall,
    @Headers('idempotency-key') key?: string,
  ): Promise<PaymentOutput> {
    const userId = session.signedIn(this.config.unauthorizedRole);
    const payment = normalisePayment(input);
    const faults = paymentFaults(payment);
    if (faults.length > 0) {
      return refused('Validation failed', Code.validation, faults);
    }
    if (!session.trusted && payment.customer_id !== userId) {
      throw ActionError.forbidden('You can only pay for yourself');
    }
    try {
      if ((await this.payments.findCustomer(payment.customer_id)) === null) {
        return refused('Validation failed', Code.validation, [noCustomer()]);
      }
      if (!this.stripe.configured) {
        this.logger.error('payments are not configured: STRIPE_SECRET_KEY is not set');
        return refused('Payments are not configured', 'PAYMENTS_NOT_CONFIGURED');
      }
      const order = {
        customerId: payment.customer_id,
        userId: userId || null,
        amount: payment.amount,
        currency: payment.currency,
        paymentMethodId: payment.payment_method_id,
        description: payment.description,
      };
      return this.answer(await this.payments.charge(order, key?.trim() || randomUUID()));
    } catch (error) {
      if (error instanceof KeyReusedError) {
        return refused('This idempotency key was used for another payment', 'IDEMPOTENCY_KEY_REUSED');
      }
      throw paymentError(error);
    }
  }

  private answer({ payment, clientSecret }: Outcome): PaymentOutput {
    if (payment.error_code === 'CARD_ERROR') {
      throw cardError(payment.message ?? '');
    }
    if (payment.status === 'PENDING') {
      throw new Error('the payment is still pending');
    }
    this.logger.info('payment processed', { payment_id: payment.id, payment_status: payment.status });
    return {
      success: payment.status === 'SUCCEEDED' || payment.status === 'PROCESSING',
      payment_intent_id: payment.stripe_payment_intent_id,
      status: PaymentStatus[payment.status],
      message: payment.message ?? '',
      receipt_url: payment.receipt_url,
      client_secret: payment.status === 'REQUIRES_ACTION' ? clientSecret : null,
      errors: null,
      error_code: payment.error_code,
    };
  }
}

function refused(message: string, error_code: string, errors: ValidationError[] | null = null): PaymentOutput {
  return {
    success: false,
    payment_intent_id: null,
    status: PaymentStatus.FAILED,
    message,
    receipt_url: null,
    client_secret: null,
    errors,
    error_code,
  };
}

/** What the caller learns when Stripe refuses or cannot be reached: why, if it is the card; else nothing. */
function paymentError(cause: unknown): ActionError {
  if (isCardError(cause)) {
    return cardError(`Card error: ${cause.message}`);
  }
  if (cause instanceof ActionError) {
    return cause;
  }
  return new ActionError({
    status: 500,
    code: Code.internal,
    message: 'Payment processing failed',
    answer: { status: 'FAILED' },
    cause,
  });
}

function cardError(message: string): ActionError {
  return new ActionError({ status: 400, code: 'CARD_ERROR', message, answer: { status: 'FAILED' } });
}
