/** The suites of npm run test:full alone, and the longest of those that test no more than shorter ones. */
export const fullOnly = [
  "test/fault/",
  "test/interop/",
  "test/clients/",
  "test/contract/encrypted-destinations.",
  "test/contract/s3-destinations.",
  "test/e2e/cli-bad-input.",
  "test/e2e/cli-encryption.",
  "test/e2e/console-backups.",
  "test/e2e/console-documents.",
  "test/e2e/cookbooks.",
  "test/e2e/import-from-xenon.",
  "test/e2e/large-answers.",
  "test/e2e/transfer-limits.",
  "test/e2e/walk-throughs.",
  "test/e2e/xenon-cron.",
];

export default {
  testEnvironment: "node",
  testMatch: ["<rootDir>/src/**/*.test.ts", "<rootDir>/test/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/", ...fullOnly.map((folder) => `<rootDir>/${folder}`)],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: {
    "^.+\\.(t|j|mj)s$": [
      "@swc/jest",
      { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
    ],
  },
  transformIgnorePatterns: [
    "/node_modules/(?!(archiver|zip-stream|compress-commons|crc32-stream|readdir-glob|is-stream|@bufbuild|@connectrpc|age-encryption|@noble|@scure)/)",
  ],
  testTimeout: 60000,
  // More than cores of the smallest machine: most of the time a test waits for a host, a child or a disk.
  maxWorkers: 3,
};
