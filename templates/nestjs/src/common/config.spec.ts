import { loadConfig } from './config';

const least = { DATABASE_URL: 'postgres://u:secret-1@db/app', HASURA_ADMIN_SECRET: 'secret-2' };

describe('loadConfig', () => {
  it('has defaults for what need not be set', () => {
    expect(loadConfig({ ...least, PORT: '', REDIS_URL: ' ' })).toMatchObject({
      port: 3001,
      env: 'dev',
      logLevel: 'info',
      publicUrl: 'http://localhost:3001',
      redisUrl: '',
      adminSecret: 'secret-2',
      unauthorizedRole: 'public',
      rateLimit: { points: 5, rolePoints: 300, durationSeconds: 60 },
      smtp: { host: '', port: 1025, from: 'no-reply@localhost' },
    });
  });

  it('takes the name that Hasura gives the secret, when the other is empty', () => {
    const { DATABASE_URL } = least;
    expect(loadConfig({ DATABASE_URL, HASURA_GRAPHQL_ADMIN_SECRET: 's' }).adminSecret).toBe('s');
  });

  it('drops the slash at the end of PUBLIC_URL', () => {
    expect(loadConfig({ ...least, PUBLIC_URL: 'https://shop.example/fn/' }).publicUrl).toBe('https://shop.example/fn');
  });

  it('reports every problem at once, and no secret', () => {
    const load = (): unknown =>
      loadConfig({
        PORT: '70000',
        LOG_LEVEL: 'loud',
        REDIS_URL: 'http://:secret-3@redis',
        EMAIL_FROM: 'nobody',
        RATE_LIMIT_POINTS: '1.5',
      });
    expect(load).toThrow(
      [
        'read the environment: PORT must be a whole number from 1 to 65535, got "70000"',
        'LOG_LEVEL must be debug, info, warn or error, got "loud"',
        'HASURA_ADMIN_SECRET is not set',
        'DATABASE_URL is not set',
        'REDIS_URL must begin with redis:// or rediss:// or unix://',
        'EMAIL_FROM must be an email address, got "nobody"',
        'RATE_LIMIT_POINTS must be a whole number from 1 to 1000000, got "1.5"',
      ].join('\n'),
    );
    expect(load).not.toThrow('secret-3');
  });
});
