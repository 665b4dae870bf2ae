/**
 * True in npm run test:full, which runs every case of a matrix, many rounds and large sizes. npm test runs some of each kind.
 * Both run the test files that import this constant.
 */
export const long = process.env["LONG_TESTS"] === "1";
