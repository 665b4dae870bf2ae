import base from "./jest.config.mjs";

/** The interop suite with a real Xenon, which wants Java and, in XENON_HOME, a build of Xenon; says aloud what it skips. */
export default {
  ...base,
  verbose: true,
  testMatch: ["<rootDir>/test/interop/xenon/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
};
