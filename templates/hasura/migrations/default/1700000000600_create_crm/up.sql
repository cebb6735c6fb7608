-- The CRM that a user has connected, and what has become of each contact that was sent there.
CREATE TABLE IF NOT EXISTS public.crm_integrations (
    user_id           uuid        PRIMARY KEY,
    endpoint          text        NOT NULL,
    api_key_encrypted bytea       NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN public.crm_integrations.api_key_encrypted IS
    'AES-256-GCM under ENCRYPTION_KEY: 12 bytes nonce, ciphertext, tag; the user id is the additional data';

CREATE TABLE IF NOT EXISTS public.crm_contacts (
    user_id    uuid        NOT NULL,
    email      text        NOT NULL,
    name       text        NOT NULL,
    phone      text,
    company    text,
    status     text        NOT NULL CHECK (status IN ('PENDING', 'SYNCED', 'FAILED')),
    error      text,
    synced_at  timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, email)
);
