-- Background jobs. This table is the truth about a job; the queue of the runtime that works on it carries the id only.
CREATE TABLE IF NOT EXISTS public.jobs (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    kind         text        NOT NULL,
    user_id      text,
    payload      jsonb       NOT NULL DEFAULT '{}',
    status       text        NOT NULL DEFAULT 'QUEUED'
                 CHECK (status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    progress     integer     NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    attempts     integer     NOT NULL DEFAULT 0,
    max_attempts integer     NOT NULL DEFAULT 5,
    result_key   text,
    error        text,
    runtime      text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS jobs_status_updated_at_idx ON public.jobs (status, updated_at);

COMMENT ON COLUMN public.jobs.user_id IS 'Whose job it is: x-hasura-user-id, or null for the admin';
COMMENT ON COLUMN public.jobs.attempts IS 'How often a worker has begun; it also tells a worker whether the job is still its own';
COMMENT ON COLUMN public.jobs.result_key IS 'Where the result lies in the storage';
COMMENT ON COLUMN public.jobs.error IS 'For the user who asked for the job';
COMMENT ON COLUMN public.jobs.runtime IS 'Whose workers do it: golang, nestjs or python';
COMMENT ON COLUMN public.jobs.updated_at IS 'A worker renews it while it works: a RUNNING job with an old one has lost its worker';
