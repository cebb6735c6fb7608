import { Injectable } from '@nestjs/common';

/** Tells whether the service has been told to stop. */
@Injectable()
export class Lifecycle {
  stopping = false;
}
