/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

export default {
  testEnvironment: 'node',
  // Real model servers are asked by `npm run test:live`, what is published is built by
  // `npm run test:release`, the chart and the rules are tried by `npm run test:deploy`, what takes
  // minutes is done by `npm run test:soak`; they override the second of these.
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    '/test/live/',
    '/test/release/',
    '/test/soak/',
    '/test/deploy/(chart|prometheus)/',
  ],
  // The second holds the README's table to what tests prove.
  reporters: ['default', '<rootDir>/test/compatibility/reporter.mjs'],
  // One more than the CPUs of a small machine: many tests wait.
  maxWorkers: 3,
  // Modules of a test file stay in the memory of its worker. One that has grown to gigabytes takes longer to
  // end than Jest waits, which it then takes for something that was left open.
  workerIdleMemoryLimit: '600MB',
  // No test waits so long; a machine under load may.
  testTimeout: 30_000,
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
} satisfies Config;
