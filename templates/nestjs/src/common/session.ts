import type { IncomingHttpHeaders } from 'node:http';

import { ActionError } from './action-error';

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The text in lower case when it is a UUID in its usual form, else an empty one. */
export function uuid(text: string): string {
  const lower = text.toLowerCase();
  return uuidPattern.test(lower) ? lower : '';
}

/**
 * On whose behalf the engine calls. It is to be believed because the caller has proved that it knows the admin secret.
 */
export class Session {
  constructor(
    /** "admin", or the role that the action's permissions let in. Empty: a direct call without a session. */
    readonly role: string,
    /** x-hasura-user-id, or empty. */
    readonly userId: string,
    /** All session variables, keys in lower case. */
    readonly variables: Readonly<Record<string, string>>,
  ) {}

  /** Whether the caller is the admin, or a direct call with the admin secret and no session at all. */
  get trusted(): boolean {
    return this.role === '' || this.role === 'admin';
  }

  /**
   * The id of the user who calls, in lower case. Without one it fails with status 401, unless the caller is trusted: then
   * the id is empty. Visitors with the unauthorizedRole can claim any id, so theirs does not count; ids that are not UUIDs
   * do not either.
   */
  signedIn(unauthorizedRole: string): string {
    const id = uuid(this.userId);
    if (this.trusted || (id !== '' && this.role !== unauthorizedRole)) {
      return id;
    }
    throw ActionError.signIn();
  }

  /**
   * Takes the variables of the body where it has some, and the X-Hasura-* headers otherwise. An empty header counts as
   * absent.
   */
  static from(body: Record<string, unknown> | null | undefined, headers: IncomingHttpHeaders): Session {
    const given = body && Object.keys(body).length > 0 ? body : fromHeaders(headers);
    const variables: Record<string, string> = {};
    for (const [name, value] of Object.entries(given)) {
      if (value !== null && value !== undefined) {
        variables[name.toLowerCase()] = typeof value === 'string' ? value : JSON.stringify(value);
      }
    }
    return new Session(variables['x-hasura-role'] ?? '', variables['x-hasura-user-id'] ?? '', variables);
  }
}

function fromHeaders(headers: IncomingHttpHeaders): Record<string, unknown> {
  const text = (name: string): string => {
    const value = headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  };
  let variables: Record<string, unknown> = {};
  try {
    const all: unknown = JSON.parse(text('x-hasura-session-variables'));
    if (typeof all === 'object' && all !== null && !Array.isArray(all)) {
      variables = { ...all };
    }
  } catch {
    // Text that is not JSON is as good as none: the two headers below may still be there.
  }
  for (const name of ['x-hasura-role', 'x-hasura-user-id']) {
    if (text(name) !== '') {
      variables[name] = text(name);
    }
  }
  return variables;
}
