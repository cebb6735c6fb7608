-- Uploaded files; their content lies in the storage.
CREATE TABLE IF NOT EXISTS public.files (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id      text,
    name         text        NOT NULL,
    content_type text        NOT NULL,
    size         integer     NOT NULL CHECK (size >= 0),
    sha256       bytea       NOT NULL,
    storage_key  text        NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS files_user_id_idx ON public.files (user_id, created_at);

COMMENT ON COLUMN public.files.user_id IS 'Whose file it is: x-hasura-user-id, or null for the admin';
COMMENT ON COLUMN public.files.content_type IS 'What the content was found to be, not what the caller said';
