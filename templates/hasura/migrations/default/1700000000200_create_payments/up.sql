-- Payments, and the customers that Stripe knows our users as. Amounts are in the currency's smallest unit.
CREATE TABLE IF NOT EXISTS public.payment_customers (
    user_id            uuid        PRIMARY KEY REFERENCES public.users (id) ON DELETE CASCADE,
    stripe_customer_id text        NOT NULL UNIQUE,
    created_at         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.payments (
    id                       uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id              uuid        NOT NULL REFERENCES public.users (id),
    user_id                  text,
    amount                   integer     NOT NULL CHECK (amount > 0),
    currency                 text        NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    description              text        NOT NULL DEFAULT '',
    status                   text        NOT NULL DEFAULT 'PENDING'
                             CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'REQUIRES_ACTION', 'PROCESSING')),
    stripe_payment_intent_id text        UNIQUE,
    receipt_url              text,
    message                  text,
    error_code               text,
    idempotency_key          text        NOT NULL,
    request_hash             bytea       NOT NULL,
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payments_idempotency_key UNIQUE (customer_id, idempotency_key)
);

CREATE INDEX IF NOT EXISTS payments_created_at_idx ON public.payments (created_at, id);

COMMENT ON COLUMN public.payments.user_id IS 'Who asked for it: x-hasura-user-id, or null for the admin';
COMMENT ON COLUMN public.payments.status IS 'PENDING until Stripe has answered';
COMMENT ON COLUMN public.payments.request_hash IS 'SHA-256 of the input, to tell a repeated request from another one with the same key';
