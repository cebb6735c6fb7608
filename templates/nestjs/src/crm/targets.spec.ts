import { loadConfig } from '../common/config';
import { ForbiddenTargetError, isPublic, Targets } from './targets';

function targets(CRM_ALLOWED_HOSTS = ''): Targets {
  return new Targets(loadConfig({ DATABASE_URL: 'postgres://x/y', HASURA_ADMIN_SECRET: 's', CRM_ALLOWED_HOSTS }));
}

describe('isPublic', () => {
  it.each(['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '2002:808:808::1'])('%s', (address) => {
    expect(isPublic(address)).toBe(true);
  });

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '192.168.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    'fc00::1',
    'fe80::1%eth0',
    'ff02::1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::1',
    '2001::1',
    '2001:db8::1',
    'not an address',
  ])('not %s', (address) => {
    expect(isPublic(address)).toBe(false);
  });
});

describe('Targets', () => {
  it.each([
    ['https://8.8.8.8/v1', null],
    ['https://no-such-name.invalid', null],
    ['http://8.8.8.8', 'INVALID_URL'],
    ['ftp://8.8.8.8', 'INVALID_URL'],
    ['crm', 'INVALID_URL'],
    ['https://', 'INVALID_URL'],
    ['https://a:b@8.8.8.8', 'INVALID_URL'],
    ['https://8.8.8.8/?a', 'INVALID_URL'],
    ['https://8.8.8.8/#a', 'INVALID_URL'],
    [`https://8.8.8.8/${'x'.repeat(2000)}`, 'INVALID_URL'],
    ['https://localhost', 'FORBIDDEN_TARGET'],
    ['https://127.1', 'FORBIDDEN_TARGET'],
    ['https://0x7f000001', 'FORBIDDEN_TARGET'],
    ['https://[::1]:8443/', 'FORBIDDEN_TARGET'],
  ])('says what is wrong with %.40s', async (endpoint, want) => {
    await expect(targets().fault(endpoint)).resolves.toBe(want);
  });

  it('lets the operator allow hosts', async () => {
    const allowed = targets('crm.internal, localhost:8443,127.0.0.1');
    await expect(allowed.fault('http://127.0.0.1:9/x')).resolves.toBeNull();
    await expect(allowed.fault('http://localhost:8443')).resolves.toBeNull();
    await expect(allowed.fault('http://localhost:8444')).resolves.toBe('INVALID_URL');
    await expect(allowed.fault('https://localhost:8444')).resolves.toBe('FORBIDDEN_TARGET');
    expect(allowed.lookup(new URL('http://crm.internal'))).toBeUndefined();
  });

  it('resolves names to addresses that may be dialled only', async () => {
    const resolved = await new Promise<unknown>((resolve) => {
      targets().lookup(new URL('https://localhost'))?.('localhost', { all: true }, (error, addresses) =>
        resolve(error ?? addresses),
      );
    });
    expect(resolved).toBeInstanceOf(ForbiddenTargetError);
    expect(() => targets().lookup(new URL('https://[::1]'))).toThrow(ForbiddenTargetError);
  });
});
