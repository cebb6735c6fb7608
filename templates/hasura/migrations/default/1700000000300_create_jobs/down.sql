DROP TABLE IF EXISTS public.jobs;
