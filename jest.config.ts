/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

export default {
  testEnvironment: 'node',
  // Real model servers are asked by `npm run test:live` only.
  testMatch: process.env.TEST_LIVE ? ['<rootDir>/test/live/*.test.ts'] : ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...(process.env.TEST_LIVE ? [] : ['/test/live/'])],
  maxWorkers: 2,
  // No test waits so long; a machine under load may.
  testTimeout: 30_000,
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
} satisfies Config;
