import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { Injectable } from '@nestjs/common';

import { Config } from '../common/config';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** There is no key to encrypt with. */
export class NoKeyError extends Error {
  constructor() {
    super('ENCRYPTION_KEY is not set');
  }
}

/** Data was not encrypted under this key, or has been changed since. */
export class UnreadableError extends Error {}

/**
 * Encrypts what lies in the database with ENCRYPTION_KEY (32 bytes in base64), so that a copy of the database alone is of
 * no use. What is encrypted is bound to its owner: it cannot be passed off as another's. All runtimes do it alike.
 */
@Injectable()
export class Cipher {
  private readonly key: Buffer | null;

  constructor(config: Config) {
    this.key = config.section((variables) => {
      const text = variables.text('ENCRYPTION_KEY', '');
      const key = Buffer.from(text, 'base64');
      if (text !== '' && key.length !== keyBytes) {
        variables.problems.push(`ENCRYPTION_KEY must be ${keyBytes} bytes in base64`);
      }
      return text === '' ? null : key;
    });
  }

  /** A nonce, the encrypted text and its tag. */
  encrypt(text: string, owner: string): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.required(), nonce).setAAD(Buffer.from(owner));
    return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  }

  /** The text again. It fails with {@link UnreadableError} under another key, for another owner, and for what was changed. */
  decrypt(blob: Buffer, owner: string): string {
    const key = this.required();
    try {
      const decipher = createDecipheriv(algorithm, key, blob.subarray(0, nonceBytes), { authTagLength: tagBytes })
        .setAAD(Buffer.from(owner))
        .setAuthTag(blob.subarray(-tagBytes));
      const text = [decipher.update(blob.subarray(nonceBytes, -tagBytes)), decipher.final()];
      return Buffer.concat(text).toString('utf8');
    } catch (cause) {
      throw new UnreadableError('the encrypted data cannot be read with ENCRYPTION_KEY', { cause });
    }
  }

  private required(): Buffer {
    if (this.key === null) {
      throw new NoKeyError();
    }
    return this.key;
  }
}
