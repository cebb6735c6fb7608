DROP TABLE IF EXISTS public.payments;
DROP TABLE IF EXISTS public.payment_customers;
