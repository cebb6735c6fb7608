import { loadConfig } from '../common/config';
import { Cipher, NoKeyError, UnreadableError } from './cipher';

const needed = { DATABASE_URL: 'postgres://x/y', HASURA_ADMIN_SECRET: 's' };

function cipher(ENCRYPTION_KEY = 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='): Cipher {
  return new Cipher(loadConfig({ ...needed, ENCRYPTION_KEY }));
}

describe('Cipher', () => {
  it('reads what it has written, for the same owner', () => {
    const blob = cipher().encrypt('key', 'alice');
    expect(blob).toHaveLength(12 + 3 + 16);
    expect(blob.equals(cipher().encrypt('key', 'alice'))).toBe(false);
    expect(cipher().decrypt(blob, 'alice')).toBe('key');
    expect(() => cipher().decrypt(blob, 'bob')).toThrow(UnreadableError);
    expect(() => cipher(Buffer.alloc(32).toString('base64')).decrypt(blob, 'alice')).toThrow(UnreadableError);
    blob[20] = (blob[20] ?? 0) ^ 1;
    expect(() => cipher().decrypt(blob, 'alice')).toThrow(UnreadableError);
    expect(() => cipher().decrypt(Buffer.from('x'), 'alice')).toThrow(UnreadableError);
  });

  it('needs a key of the right size', () => {
    expect(() => cipher('').encrypt('x', 'y')).toThrow(NoKeyError);
    expect(() => cipher('c2hvcnQ=')).toThrow('ENCRYPTION_KEY must be 32 bytes in base64');
  });
});
