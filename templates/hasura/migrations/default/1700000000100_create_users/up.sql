-- Accounts, and the links that prove that an email address belongs to its account.
CREATE TABLE IF NOT EXISTS public.users (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    email          text        NOT NULL,
    password_hash  text        NOT NULL,
    name           text        NOT NULL,
    company        text,
    email_verified boolean     NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- One account for an address, however its letters are written, also when two registrations arrive at once.
CREATE UNIQUE INDEX IF NOT EXISTS users_email_key ON public.users (lower(email));

-- Only the SHA-256 of a token is kept: who can read this table cannot follow the links.
CREATE TABLE IF NOT EXISTS public.email_verifications (
    token_hash bytea       PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS email_verifications_user_id_idx ON public.email_verifications (user_id);
