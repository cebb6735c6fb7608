import { availableParallelism } from 'node:os';

import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';

/**
 * The parameters that OWASP's password storage cheat sheet gives as the minimum for Argon2id: 19 MiB of memory, two
 * passes, one lane. A hash names its own parameters, so raising them later leaves old hashes valid.
 */
const parameters = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1, outputLen: 32 };

/**
 * Hashes passwords with Argon2id. It runs only so many computations at once as there are processors: each takes 19 MiB,
 * and more in parallel would only be slower.
 */
@Injectable()
export class PasswordService {
  private free = availableParallelism();
  private readonly waiting: (() => void)[] = [];

  /** The hash of a password in PHC format. */
  hash(password: string): Promise<string> {
    return this.inTurn(() => hash(password, parameters));
  }

  /** Whether a hash was made of this password. It fails on text that is not a hash. */
  matches(password: string, hashed: string): Promise<boolean> {
    return this.inTurn(() => verify(hashed, password));
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) {
      this.free--;
    } else {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) {
        this.free++;
      } else {
        next();
      }
    }
  }
}
