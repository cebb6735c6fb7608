import type { RegisterUserInput, ValidationError } from './types.gen';

// Lengths in characters. The longest email address is what SMTP can carry (RFC 5321); the longest password keeps hashing
// from becoming a way to burden the service.
const maxEmail = 254;
const maxName = 100;
const maxCompany = 200;
const minPassword = 8;
const maxPassword = 128;

/** The pattern that browsers use for <input type="email">, but for one thing: the domain must have a dot. */
const emailPattern =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_{|}~`-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$/;

/** Control characters: Postgres cannot store NUL, and the text ends up in mails. */
const control = /\p{Cc}/u;

/**
 * Trims what a person typed and writes the email address in lower case: one mailbox, one account. The password stays as it
 * is.
 */
export function normaliseRegistration(input: RegisterUserInput): RegisterUserInput {
  return {
    email: input.email.trim().toLowerCase(),
    password: input.password,
    name: input.name.trim(),
    company: input.company?.trim() || null,
  };
}

/** Returns every fault of a normalised registration, at most one for each field. */
export function registrationFaults(input: RegisterUserInput): ValidationError[] {
  return [
    emailFault(input.email),
    passwordFault(input.password),
    input.name === ''
      ? fault('name', 'REQUIRED_FIELD', 'Name is required')
      : textFault('name', 'Name', input.name, maxName),
    input.company === null ? null : textFault('company', 'Company', input.company, maxCompany),
  ].filter((found) => found !== null);
}

function fault(field: string, code: string, message: string): ValidationError {
  return { field, message, code };
}

function emailFault(email: string): ValidationError | null {
  if (email === '') {
    return fault('email', 'REQUIRED_FIELD', 'Email is required');
  }
  if (Buffer.byteLength(email) > maxEmail) {
    return fault('email', 'INVALID_LENGTH', `Email must be at most ${maxEmail} characters`);
  }
  return emailPattern.test(email) ? null : fault('email', 'INVALID_FORMAT', 'Email must be a valid email address');
}

function passwordFault(password: string): ValidationError | null {
  const length = characters(password);
  if (length === 0) {
    return fault('password', 'REQUIRED_FIELD', 'Password is required');
  }
  if (length < minPassword) {
    return fault('password', 'INVALID_LENGTH', `Password must be at least ${minPassword} characters`);
  }
  return length > maxPassword
    ? fault('password', 'INVALID_LENGTH', `Password must be at most ${maxPassword} characters`)
    : null;
}

function textFault(field: string, label: string, text: string, most: number): ValidationError | null {
  if (characters(text) > most) {
    return fault(field, 'INVALID_LENGTH', `${label} must be at most ${most} characters`);
  }
  return control.test(text) ? fault(field, 'INVALID_FORMAT', `${label} must not contain control characters`) : null;
}

/** Counts characters as people do, not as UTF-16 does. */
function characters(text: string): number {
  return [...text].length;
}
