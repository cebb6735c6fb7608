DROP TABLE IF EXISTS public.files;
