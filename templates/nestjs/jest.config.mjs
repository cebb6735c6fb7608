import { readFileSync } from 'node:fs';

// Jest runs CommonJS: there, import() becomes a require that waits.
const compilerOptions = { ...JSON.parse(readFileSync('tsconfig.json', 'utf8')).compilerOptions, module: 'commonjs' };

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  testTimeout: 120_000, // a start of the whole service is part of some, on a machine that is busy with something else
  testRegex: '\\.(spec|e2e-spec)\\.ts$',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  transform: {
    '^.+\\.ts$': ['ts-jest', { tsconfig: compilerOptions }],
    '/node_modules/@(?:nestjs|opentelemetry/otlp-exporter-base)/.+\\.js$': '<rootDir>/jest.nest.cjs',
  },
  transformIgnorePatterns: ['/node_modules/(?!@nestjs/|@opentelemetry/otlp-exporter-base/)'],
  collectCoverageFrom: ['src/**/*.ts'],
};
