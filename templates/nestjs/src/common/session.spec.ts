import { Session } from './session';

describe('Session', () => {
  it.each([
    ['body', { 'x-hasura-role': 'user', 'x-hasura-user-id': '7' }, {}, 'user/7'],
    ['body, capitals and numbers', { 'X-Hasura-Role': 'user', 'X-Hasura-User-Id': 7 }, {}, 'user/7'],
    [
      'body before headers',
      { 'x-hasura-role': 'public' },
      { 'x-hasura-role': 'user', 'x-hasura-user-id': '7' },
      'public/',
    ],
    ['headers', null, { 'x-hasura-role': 'user', 'x-hasura-user-id': '7' }, 'user/7'],
    [
      'header with all',
      {},
      { 'x-hasura-session-variables': '{"x-hasura-role":"user","x-hasura-user-id":"7"}' },
      'user/7',
    ],
    ['header with all, null', {}, { 'x-hasura-session-variables': 'null', 'x-hasura-role': 'user' }, 'user/'],
    ['header with all, not JSON', {}, { 'x-hasura-session-variables': '{', 'x-hasura-role': 'user' }, 'user/'],
    ['empty headers', undefined, { 'x-hasura-role': '', 'x-hasura-user-id': '' }, '/'],
  ])('%s', (_, body, headers, want) => {
    const session = Session.from(body, headers);
    expect(`${session.role}/${session.userId}`).toBe(want);
  });

  it('is trusted for the admin and for direct calls', () => {
    expect(
      [new Session('', '', {}), new Session('admin', '', {}), new Session('user', '', {})].map((s) => s.trusted),
    ).toEqual([true, true, false]);
  });
});
