import { Injectable } from '@nestjs/common';

/** Tells whether the service has begun to serve, and whether it has been told to stop. */
@Injectable()
export class Lifecycle {
  stopping = false;
  private readonly waiting: (() => void)[] = [];

  /** Registers work that begins when the service listens, so that the start does not wait for it. Stop it in onModuleDestroy. */
  whenServing(begin: () => void): void {
    this.waiting.push(begin);
  }

  /** Says that the service listens. */
  serving(): void {
    for (const begin of this.waiting.splice(0)) {
      begin();
    }
  }
}
