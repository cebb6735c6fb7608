-- Invitations of users who were created for others. Only the SHA-256 of a token is kept: who can read this table cannot
-- follow the links. It is set when the mail is sent.
CREATE TABLE IF NOT EXISTS public.invitations (
    user_id     uuid        PRIMARY KEY REFERENCES public.users (id) ON DELETE CASCADE,
    token_hash  bytea       UNIQUE,
    expires_at  timestamptz NOT NULL,
    sent_at     timestamptz,
    accepted_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now()
);
