import { randomUUID } from 'node:crypto';

import { type Answer, describeWithServers, TestService } from './environment';
import { StripeServer } from './stripe';

describeWithServers('processPayment', () => {
  let service: TestService;
  let stripe: StripeServer;
  let customer: string;

  beforeEach(async () => {
    stripe = await StripeServer.start();
    service = await TestService.start({ STRIPE_SECRET_KEY: 'sk_test_secret', STRIPE_API_BASE: stripe.url });
    const { rows } = await service.database.query<{ id: string }>(
      "INSERT INTO users (email, password_hash, name) VALUES ('a@example.com', '!', 'A') RETURNING id",
    );
    customer = rows[0]?.id ?? '';
  });

  afterEach(async () => {
    await service.stop();
    stripe.stop();
  });

  const pay = (fields: object = {}, key = '', session: object = {}): Promise<Answer> =>
    service.post(
      'process-payment',
      {
        input: { amount: 1999, currency: 'USD', payment_method_id: 'pm_succeeded', customer_id: customer, ...fields },
        session_variables: session,
      },
      key === '' ? {} : { 'Idempotency-Key': key },
    );
  const payments = async (): Promise<unknown[]> =>
    (await service.database.query<object>('SELECT * FROM payments ORDER BY created_at')).rows;

  it('charges once, as often as it is asked with one key', async () => {
    const answers = [await pay({ description: ' Order 7 ' }, 'k1'), await pay({ description: 'Order 7' }, 'k1')];
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(body).toEqual({
        success: true,
        payment_intent_id: 'pi_2',
        status: 'SUCCEEDED',
        message: 'Payment processed successfully',
        receipt_url: 'https://pay.stripe.test/receipt',
        client_secret: null,
        errors: null,
        error_code: null,
      });
    }
    expect(stripe.payments).toBe(1);
    const [customerCall, call] = stripe.calls;
    expect(customerCall?.key).toBe(`customer-${customer}`);
    expect(Object.fromEntries(call?.form ?? [])).toEqual({
      amount: '1999',
      currency: 'usd',
      customer: 'cus_1',
      payment_method: 'pm_succeeded',
      description: 'Order 7',
      confirm: 'true',
      off_session: 'false',
      return_url: 'http://service.test/payment-complete',
      'expand[0]': 'latest_charge',
      'metadata[payment_id]': call?.key,
    });
    const other = await pay({ amount: 2000 }, 'k1');
    expect(other.body).toMatchObject({ success: false, error_code: 'IDEMPOTENCY_KEY_REUSED' });
    await pay({}, 'k2');
    await pay();
    expect(stripe.payments).toBe(3);
    expect(stripe.calls.filter(({ path }) => path === '/v1/customers')).toHaveLength(1);
    await expect(payments()).resolves.toHaveLength(3);
  });

  it.each([
    ['pm_requires_action', false, 'REQUIRES_ACTION', 'Additional authentication required', 'pi_secret'],
    ['pm_processing', true, 'PROCESSING', 'Payment is being processed', null],
    ['pm_canceled', false, 'FAILED', 'Payment failed: canceled', null],
  ])('says what became of %s, also again', async (payment_method_id, success, status, message, client_secret) => {
    for (let i = 0; i < 2; i++) {
      const { body } = await pay({ payment_method_id }, 'k');
      expect(body).toMatchObject({ success, status, message, client_secret, receipt_url: null, error_code: null });
    }
    await expect(payments()).resolves.toMatchObject([{ status }]);
  });

  it('says why a card was refused, and asks for it once', async () => {
    for (let i = 0; i < 2; i++) {
      const { status, body } = await pay({ payment_method_id: 'pm_declined' }, 'k');
      expect(status).toBe(400);
      expect(body).toEqual({
        success: false,
        status: 'FAILED',
        message: 'Card error: Your card was declined.',
        error_code: 'CARD_ERROR',
        code: 'CARD_ERROR',
      });
    }
    expect(stripe.calls.filter(({ path }) => path === '/v1/payment_intents')).toHaveLength(1);
    await expect(payments()).resolves.toMatchObject([{ status: 'FAILED', stripe_payment_intent_id: 'pi_declined' }]);
  });

  it('tells no more of other failures', async () => {
    const { status, body } = await pay({ payment_method_id: 'pm_broken' });
    expect(status).toBe(500);
    expect(body).toMatchObject({ success: false, status: 'FAILED', message: 'Payment processing failed' });
    expect(JSON.stringify(body)).not.toContain('PaymentMethod');
    expect(service.log).toContain('No such PaymentMethod');
    expect(service.log).not.toContain('sk_test_secret');
  });

  it('finds out what became of a payment that was cut short', async () => {
    // The connection breaks after the payment; the client's repetition has the same key, so there is one payment.
    const { body } = await pay({ payment_method_id: 'pm_lost' }, 'k');
    expect(body).toMatchObject({ success: true, status: 'SUCCEEDED' });
    // As after a crash before the answer was noted.
    await service.database.query("UPDATE payments SET status = 'PENDING', stripe_payment_intent_id = NULL");
    expect((await pay({ payment_method_id: 'pm_lost' }, 'k')).body).toMatchObject({ success: true });
    expect(stripe.payments).toBe(1);
  });

  it('lets users pay for themselves only', async () => {
    const as = (userId: string): object => ({ 'x-hasura-role': 'user', 'x-hasura-user-id': userId });
    expect((await pay({}, '', as(customer))).body).toMatchObject({ success: true });
    expect(await pay({}, '', as(randomUUID()))).toMatchObject({ status: 403, body: { error_code: 'FORBIDDEN' } });
    expect(await pay({}, '', { 'x-hasura-role': 'user' })).toMatchObject({ status: 401 });
    await expect(payments()).resolves.toMatchObject([{ user_id: customer }]);
  });

  it('reports every field at fault', async () => {
    const { body } = await pay({ amount: 0, currency: 'xxx', payment_method_id: ' ', customer_id: '7' });
    const errors = body.errors as { field: string; code: string }[];
    expect(errors.map(({ field, code }) => `${field} ${code}`)).toEqual([
      'amount INVALID_RANGE',
      'currency INVALID_CURRENCY',
      'payment_method_id REQUIRED_FIELD',
      'customer_id NOT_FOUND',
    ]);
    expect((await pay({ customer_id: randomUUID() })).body).toMatchObject({ errors: [{ field: 'customer_id' }] });
    expect(stripe.calls).toEqual([]);
  });
});

describeWithServers('processPayment without a key', () => {
  it('says so', async () => {
    const service = await TestService.start();
    const { rows } = await service.database.query<{ id: string }>(
      "INSERT INTO users (email, password_hash, name) VALUES ('a@example.com', '!', 'A') RETURNING id",
    );
    const input = { amount: 1, currency: 'eur', payment_method_id: 'pm_1', customer_id: rows[0]?.id };
    const { status, body } = await service.post('process-payment', { input });
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: false, status: 'FAILED', error_code: 'PAYMENTS_NOT_CONFIGURED' });
    expect(service.log).toContain('STRIPE_SECRET_KEY');
    await service.stop();
  });
});
