/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  testRegex: '\\.(spec|e2e-spec)\\.ts$',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  transform: {
    '^.+\\.ts$': 'ts-jest',
    '/node_modules/@nestjs/.+\\.js$': '<rootDir>/jest.nest.cjs',
  },
  transformIgnorePatterns: ['/node_modules/(?!@nestjs/)'],
  collectCoverageFrom: ['src/**/*.ts'],
};
