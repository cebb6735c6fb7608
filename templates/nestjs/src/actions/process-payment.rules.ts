import { uuid } from '../common/session';
import type { PaymentInput, ValidationError } from './types.gen';

/** The most that Stripe takes in one payment. */
const maxAmount = 99_999_999;

const maxDescription = 1000;

/** The currencies of ISO 4217 that are in use. */
const currencies = new Set(
  (
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY ' +
    'COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ' +
    'ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK ' +
    'MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF ' +
    'SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU ' +
    'UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG'
  ).split(' '),
);

/** A payment with its texts trimmed, and the currency as Stripe has it. */
export interface NormalPayment extends PaymentInput {
  description: string;
}

export function normalisePayment(input: PaymentInput): NormalPayment {
  return {
    amount: input.amount,
    currency: input.currency.trim().toLowerCase(),
    payment_method_id: input.payment_method_id.trim(),
    customer_id: input.customer_id.trim().toLowerCase(),
    description: input.description?.trim() ?? '',
  };
}

/** Returns every fault that shows without a look at the database, at most one for each field. */
export function paymentFaults(input: NormalPayment): ValidationError[] {
  const faults: ValidationError[] = [];
  if (input.amount < 1 || input.amount > maxAmount) {
    faults.push(fault('amount', `Amount must be from 1 to ${maxAmount}`, 'INVALID_RANGE'));
  }
  if (!currencies.has(input.currency.toUpperCase())) {
    faults.push(fault('currency', 'Currency must be a currency code such as usd', 'INVALID_CURRENCY'));
  }
  if (input.payment_method_id === '') {
    faults.push(fault('payment_method_id', 'Payment method is required', 'REQUIRED_FIELD'));
  }
  if (uuid(input.customer_id) === '') {
    faults.push(noCustomer());
  }
  if ([...input.description].length > maxDescription) {
    faults.push(fault('description', `Description must be at most ${maxDescription} characters`, 'INVALID_LENGTH'));
  }
  return faults;
}

/** What to say when the customer is none of our users. */
export function noCustomer(): ValidationError {
  return fault('customer_id', 'Customer does not exist', 'NOT_FOUND');
}

function fault(field: string, message: string, code: string): ValidationError {
  return { field, message, code };
}
