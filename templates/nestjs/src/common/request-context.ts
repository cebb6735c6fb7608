import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known of the request under way. Everything that runs for it can see it, however deep. */
export interface RequestContext {
  requestId: string;
  /** The trace that the request belongs to; empty: traces are off. */
  traceId: string;
  /** Facts for the request's one log line: action, role, user_id, error_code. */
  notes: Record<string, string>;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` as part of a request. */
export function withRequestContext<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** The request under way, or undefined outside of one. */
export function requestContext(): RequestContext | undefined {
  return storage.getStore();
}

/** Adds facts to the request's log line; empty ones are left out. */
export function note(facts: Record<string, string>): void {
  const notes = storage.getStore()?.notes;
  if (notes === undefined) {
    return;
  }
  for (const key in facts) {
    if (facts[key]) {
      notes[key] = facts[key];
    }
  }
}
