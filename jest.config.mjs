/** The suites of npm run test:full alone. */
export const fullOnly = ["test/fault/", "test/interop/", "test/clients/"];

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
