import { normaliseRegistration, registrationFaults } from './user.rules';

const valid = { email: 'test@example.com', password: 'password123', name: 'Test User', company: null };
const longEmail = `a@${`${'b'.repeat(49)}.`.repeat(5)}example`;

describe('registration rules', () => {
  it.each([
    ['valid', {}, []],
    [
      'nothing',
      { email: '', password: '', name: '' },
      [
        'email REQUIRED_FIELD Email is required',
        'password REQUIRED_FIELD Password is required',
        'name REQUIRED_FIELD Name is required',
      ],
    ],
    ['blank email', { email: '  ' }, ['email REQUIRED_FIELD Email is required']],
    ['no at', { email: 'test.example.com' }, ['email INVALID_FORMAT Email must be a valid email address']],
    ['no dot', { email: 'test@example' }, ['email INVALID_FORMAT Email must be a valid email address']],
    ['two addresses', { email: 'a@b.co,c@d.co' }, ['email INVALID_FORMAT Email must be a valid email address']],
    ['line break', { email: 'a@b.co\nBcc: c@d.co' }, ['email INVALID_FORMAT Email must be a valid email address']],
    ['plus and capitals', { email: 'Test+Tag@Sub.Example.COM' }, []],
    ['longest email', { email: `${longEmail.slice(0, 251)}com` }, []],
    ['long email', { email: longEmail }, ['email INVALID_LENGTH Email must be at most 254 characters']],
    ['short password', { password: '1234567' }, ['password INVALID_LENGTH Password must be at least 8 characters']],
    ['shortest password', { password: '12345678' }, []],
    [
      'characters, not units',
      { password: '🙂🙂🙂🙂' },
      ['password INVALID_LENGTH Password must be at least 8 characters'],
    ],
    [
      'long password',
      { password: 'x'.repeat(129) },
      ['password INVALID_LENGTH Password must be at most 128 characters'],
    ],
    ['blank name', { name: ' \t' }, ['name REQUIRED_FIELD Name is required']],
    ['long name', { name: 'x'.repeat(101) }, ['name INVALID_LENGTH Name must be at most 100 characters']],
    ['longest name', { name: '🙂'.repeat(100) }, []],
    ['NUL in name', { name: 'a\0b' }, ['name INVALID_FORMAT Name must not contain control characters']],
    ['blank company', { company: '  ' }, []],
    ['long company', { company: 'x'.repeat(201) }, ['company INVALID_LENGTH Company must be at most 200 characters']],
  ])('%s', (_, change, want) => {
    const faults = registrationFaults(normaliseRegistration({ ...valid, ...change }));
    expect(faults.map(({ field, code, message }) => `${field} ${code} ${message}`)).toEqual(want);
  });

  it('writes addresses in lower case and trims, but leaves the password alone', () => {
    const given = { email: ' Test@Example.COM ', password: ' Pass ', name: ' Test ', company: ' ' };
    expect(normaliseRegistration(given)).toEqual({
      email: 'test@example.com',
      password: ' Pass ',
      name: 'Test',
      company: null,
    });
  });
});
