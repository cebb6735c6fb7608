DROP TABLE IF EXISTS public.email_verifications;
DROP TABLE IF EXISTS public.users;
