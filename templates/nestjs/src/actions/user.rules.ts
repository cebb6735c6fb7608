/** What a person tells about an account. */
export interface Profile {
  email: string;
  name: string;
  company: string | null;
}

/** What a person tells to make an account. */
export interface Registration extends Profile {
  password: string;
}

/** What is wrong with one field. */
export interface Fault {
  field: string;
  message: string;
  code: string;
}

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
export function normaliseRegistration(input: Registration): Registration {
  return { ...normaliseProfile(input), password: input.password };
}

/** As {@link normaliseRegistration}, for an account whose password comes later. */
export function normaliseProfile(input: Profile): Profile {
  return {
    email: input.email.trim().toLowerCase(),
    name: input.name.trim(),
    company: input.company?.trim() || null,
  };
}

/** Returns every fault of a normalised registration, at most one for each field. */
export function registrationFaults(input: Registration): Fault[] {
  return present(emailFault(input.email), passwordFault(input.password), nameFault(input), companyFault(input));
}

/** Returns every fault of a normalised profile, at most one for each field. */
export function profileFaults(input: Profile): Fault[] {
  return present(emailFault(input.email), nameFault(input), companyFault(input));
}

function present(...found: (Fault | null)[]): Fault[] {
  return found.filter((fault) => fault !== null);
}

function nameFault({ name }: Profile): Fault | null {
  return name === '' ? fault('name', 'REQUIRED_FIELD', 'Name is required') : textFault('name', 'Name', name, maxName);
}

function companyFault({ company }: Profile): Fault | null {
  return company === null ? null : textFault('company', 'Company', company, maxCompany);
}

function fault(field: string, code: string, message: string): Fault {
  return { field, message, code };
}

function emailFault(email: string): Fault | null {
  if (email === '') {
    return fault('email', 'REQUIRED_FIELD', 'Email is required');
  }
  if (Buffer.byteLength(email) > maxEmail) {
    return fault('email', 'INVALID_LENGTH', `Email must be at most ${maxEmail} characters`);
  }
  return emailPattern.test(email) ? null : fault('email', 'INVALID_FORMAT', 'Email must be a valid email address');
}

/** What is wrong with a password, or null. */
export function passwordFault(password: string): Fault | null {
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

function textFault(field: string, label: string, text: string, most: number): Fault | null {
  if (characters(text) > most) {
    return fault(field, 'INVALID_LENGTH', `${label} must be at most ${most} characters`);
  }
  return control.test(text) ? fault(field, 'INVALID_FORMAT', `${label} must not contain control characters`) : null;
}

/** Counts characters as people do, not as UTF-16 does. */
function characters(text: string): number {
  return [...text].length;
}
