import { FileUrls } from './file-urls';

const id = '7f2a3a4e-0000-4000-8000-000000000001';

describe('FileUrls', () => {
  let now = 1_700_000_000_000;
  const urls = new FileUrls('secret', 'https://shop.test', 900, () => now);

  function check(
    url: string,
    change: (parts: { id: string; name: string; expires: string; signature: string }) => void,
  ) {
    const { pathname, searchParams } = new URL(url);
    const [, , found = '', name = ''] = pathname.split('/').map(decodeURIComponent);
    const get = (key: string): string => searchParams.get(key) ?? '';
    const parts = { id: found, name, expires: get('expires'), signature: get('signature') };
    change(parts);
    return urls.fault(parts.id, parts.name, parts.expires, parts.signature);
  }

  it('signs as the other runtimes do', () => {
    // Made with openssl: the key is the HMAC of "nself file url v1" under the secret.
    expect(urls.sign(`${id}/Größe 1.png`)).toBe(
      `https://shop.test/files/${id}/Gr%C3%B6%C3%9Fe%201.png?expires=1700000900&signature=TmsA1rT6aU9SgwJkGAczuRfmji4kmR1lAZmOJ_I4fjw`,
    );
  });

  it('knows its own addresses until they expire', () => {
    const url = urls.sign(`${id}/a b.csv`);
    expect(check(url, () => undefined)).toBeNull();
    expect(check(url, (parts) => (parts.name = 'b.csv'))).toBe('forged');
    expect(check(url, (parts) => (parts.expires = '1800000000'))).toBe('forged');
    expect(check(url, (parts) => (parts.signature = ''))).toBe('forged');
    now += 900_000;
    expect(check(url, () => undefined)).toBe('expired');
  });

  it.each(['a', `${id}/`, `${id}/..`, `${id}/a/b`, '../x', `${id}/a\\b`])('does not sign %j', (key) => {
    expect(() => urls.sign(key)).toThrow('is not of the form id/name');
  });
});
