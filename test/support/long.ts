/**
 * Whether all of it is wanted, as npm run test:long does: every fault of a matrix, many rounds, large sizes. npm test takes
 * some of each kind. A file that imports this is run by both.
 */
export const long = process.env["LONG_TESTS"] === "1";
