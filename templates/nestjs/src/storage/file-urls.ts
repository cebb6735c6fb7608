import { createHmac, timingSafeEqual } from 'node:crypto';

import { splitKey } from './storage';

/** What is wrong with an address. */
export type UrlFault = 'forged' | 'expired';

/**
 * Makes and checks the addresses of files that the service serves itself. All runtimes of a project sign alike, so any of
 * them serves what another has stored in the same folder.
 */
export class FileUrls {
  private readonly key: Buffer;

  constructor(
    secret: string,
    private readonly publicUrl: string,
    private readonly ttlSeconds: number,
    private readonly now: () => number = Date.now,
  ) {
    // A key of its own: whoever breaks a signature has not got the admin secret.
    this.key = createHmac('sha256', secret).update('nself file url v1').digest();
  }

  /** The address of a file, good for a while. */
  sign(key: string): string {
    const { id, name } = splitKey(key);
    const expires = String(Math.floor(this.now() / 1000) + this.ttlSeconds);
    const signature = this.signature(id, name, expires).toString('base64url');
    return `${this.publicUrl}/files/${id}/${encodeURIComponent(name)}?expires=${expires}&signature=${signature}`;
  }

  /** Says what is wrong with the parts of an address, or null. */
  fault(id: string, name: string, expires: string, signature: string): UrlFault | null {
    const given = Buffer.from(signature, 'base64url');
    const want = this.signature(id, name, expires);
    if (given.length !== want.length || !timingSafeEqual(given, want) || !/^\d{1,12}$/.test(expires)) {
      return 'forged';
    }
    return Number(expires) * 1000 <= this.now() ? 'expired' : null;
  }

  /** Signs the path as it is after decoding: what is the same file has the same signature, however it is encoded. */
  private signature(id: string, name: string, expires: string): Buffer {
    return createHmac('sha256', this.key).update(`/files/${id}/${name}\n${expires}`).digest();
  }
}
