DROP TABLE IF EXISTS public.crm_contacts;
DROP TABLE IF EXISTS public.crm_integrations;
