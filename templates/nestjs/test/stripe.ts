import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that Stripe got. */
export interface StripeCall {
  path: string;
  key: string;
  form: URLSearchParams;
}

/**
 * Answers as Stripe's API does, in the shapes that it has been seen to answer. The payment method says what becomes of a
 * payment: "pm_" and one of Stripe's states, pm_declined, pm_broken, or pm_lost, whose connection breaks after the payment
 * was made. A repeated idempotency key gets the first answer again.
 */
export class StripeServer {
  readonly calls: StripeCall[] = [];
  private readonly answers = new Map<string, { status: number; body: object }>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<StripeServer> {
    const server = createServer();
    const stripe = new StripeServer(server);
    server.on('request', (request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        const path = (request.url ?? '').split('?')[0] ?? '';
        const call = { path, key: String(request.headers['idempotency-key'] ?? ''), form: new URLSearchParams(text) };
        const isNew = !stripe.answers.has(call.key);
        stripe.calls.push(call);
        const answer = stripe.answer(call);
        if (isNew && call.form.get('payment_method') === 'pm_lost') {
          request.socket.destroy();
          return;
        }
        response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer.body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return stripe;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How many payments were made. */
  get payments(): number {
    return [...this.answers.values()].filter(({ body }) => 'client_secret' in body).length;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private answer(call: StripeCall): { status: number; body: object } {
    const known = this.answers.get(call.key);
    if (known !== undefined && call.key !== '') {
      return known;
    }
    const made = this.make(call);
    this.answers.set(call.key || `${this.calls.length}`, made);
    return made;
  }

  private make({ path, form }: StripeCall): { status: number; body: object } {
    if (path === '/v1/customers') {
      return { status: 200, body: { id: 'cus_1', object: 'customer' } };
    }
    if (path.startsWith('/v1/payment_intents/')) {
      const id = path.split('/')[3] ?? '';
      return {
        status: 200,
        body: { id, object: 'payment_intent', status: 'requires_action', client_secret: 'pi_secret' },
      };
    }
    const wanted = (form.get('payment_method') ?? '').replace('pm_', '');
    if (wanted === 'declined') {
      const error = { type: 'card_error', code: 'card_declined', message: 'Your card was declined.' };
      return { status: 402, body: { error: { ...error, payment_intent: { id: 'pi_declined' } } } };
    }
    if (wanted === 'broken') {
      return { status: 400, body: { error: { type: 'invalid_request_error', message: 'No such PaymentMethod' } } };
    }
    const status = wanted === 'lost' ? 'succeeded' : wanted;
    const receipt_url = 'https://pay.stripe.test/receipt';
    return {
      status: 200,
      body: {
        id: `pi_${this.calls.length}`,
        object: 'payment_intent',
        status,
        client_secret: 'pi_secret',
        latest_charge: status === 'succeeded' ? { id: 'ch_1', object: 'charge', receipt_url } : null,
      },
    };
  }
}
