import { readFileSync } from 'node:fs';

// Jest runs CommonJS: there, import() becomes a require that waits.
const compilerOptions = { ...JSON.parse(readFileSync('tsconfig.json', 'utf8')).compilerOptions, module: 'commonjs' };

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  testTimeout: 30_000, // a start of the whole service is part of some
  testRegex: '\\.(spec|e2e-spec)\\.ts$',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  transform: {
    '^.+\\.ts$': ['ts-jest', { tsconfig: compilerOptions }],
    '/node_modules/@(?:nestjs|opentelemetry/otlp-exporter-base)/.+\\.js$': '<rootDir>/jest.nest.cjs',
  },
  transformIgnorePatterns: ['/node_modules/(?!@nestjs/|@opentelemetry/otlp-exporter-base/)'],
  collectCoverageFrom: ['src/**/*.ts'],
};
