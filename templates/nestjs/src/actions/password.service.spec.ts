import { PasswordService } from './password.service';

describe('PasswordService', () => {
  const service = new PasswordService();

  it('hashes with Argon2id, each time with another salt', async () => {
    const [first, second] = await Promise.all([service.hash('password123'), service.hash('password123')]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(first).not.toBe(second);
  });

  it('tells the password from another, whoever made the hash', async () => {
    // Made by the Go service: an account works in every runtime.
    const hash = '$argon2id$v=19$m=19456,t=2,p=1$494ySulYiyWbk0xbSkzSJA$HvPOMHfZsOYZ9wpoDuRZdEgswY+Gr388JN4GM4WLj3M';
    await expect(service.matches('password123', hash)).resolves.toBe(true);
    await expect(service.matches('password124', hash)).resolves.toBe(false);
    await expect(service.matches('password123', 'not a hash')).rejects.toThrow();
  });

  it('serves everyone in the end', async () => {
    const hashes = await Promise.all(Array.from({ length: 20 }, () => service.hash('x')));
    expect(new Set(hashes).size).toBe(20);
  });
});
