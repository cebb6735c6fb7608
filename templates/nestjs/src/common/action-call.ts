import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

import type { Session } from './session';

/** An action that hasura/metadata declares for this service. */
export interface ActionInfo {
  /** The GraphQL name, such as "registerUser". */
  name: string;
  /** The last element of the URL, such as "register-user". */
  path: string;
}

/** One call of an action. Its arguments are the request's body by the time a controller sees it. */
export interface ActionCall {
  action: ActionInfo;
  session: Session;
  /** The text of the whole GraphQL request; empty for asynchronous actions and direct calls. */
  query: string;
}

const calls = new WeakMap<Request, ActionCall>();

/** Attaches the call to its request. */
export function setCall(request: Request, call: ActionCall): void {
  calls.set(request, call);
}

/** The call that a request is, or undefined for one that is not of an action. */
export function callOf(request: Request): ActionCall | undefined {
  return calls.get(request);
}

/** Gives a controller's parameter the call: `@Call() call: ActionCall`. */
export const Call = createParamDecorator((_: unknown, context: ExecutionContext): ActionCall => {
  const call = callOf(context.switchToHttp().getRequest<Request>());
  if (call === undefined) {
    throw new Error('@Call() stands on a route that is not an action');
  }
  return call;
});
