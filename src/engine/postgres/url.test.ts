import { parseDatabaseUrl } from "./url.js";

test.each([
  [
    "postgres://holdfast@127.0.0.1/postgres",
    {
      servers: [{ host: "127.0.0.1", port: 5432 }],
      user: "holdfast",
      password: "",
      database: "postgres",
    },
  ],
  [
    "postgresql://u%40x:p%40ss%2Fw%23rd%3A%25@db.example:6432,[::1]:5433,other/my%2Fdb?sslmode=require",
    {
      servers: [
        { host: "db.example", port: 6432 },
        { host: "::1", port: 5433 },
        { host: "other", port: 5432 },
      ],
      user: "u@x",
      password: "p@ss/w#rd:%",
      database: "my/db",
      encrypted: true,
    },
  ],
  ["postgres://u:a:b@h/db?sslmode=disable", { password: "a:b", encrypted: false }],
  ["postgres://u@h", { database: "postgres" }],
])("reads %s", (url, expected) => {
  expect(parseDatabaseUrl(url)).toMatchObject(expected);
});

const secret = "S3cr3t";
test.each([
  ["a port that is none", `postgres://holdfast:${secret}@127.0.0.1:notaport/db`],
  ["a port that is too great", `postgres://holdfast:${secret}@127.0.0.1:65536/db`],
  ["a second address without a host", `postgres://holdfast:${secret}@h,:5432/db`],
  ["a slash in the password", `postgres://holdfast:abc/${secret}@h:5432/db`],
  ["a number and a slash in the password", `postgres://holdfast:123/${secret}@h:5432/db`],
  ["a # in the password", `postgres://holdfast:${secret}#x@h:5432/db`],
  ["a ? in the password", `postgres://holdfast:${secret}?x@h:5432/db`],
  ["an @ in the password", `postgres://holdfast:a@${secret}@h:5432/db`],
  ["a % that encodes nothing", `postgres://holdfast:${secret}%zz@h/db`],
  ["a % of broken UTF-8", `postgres://holdfast:${secret}%ff@h/db`],
  ["an unknown parameter", `postgres://u@h/db?sslrootcert=${secret}`],
  ["another place of the password", `postgres://u@h/db?password=${secret}`],
  ["a mode that may send the password in plain text", "postgres://u@h/db?sslmode=prefer"],
  ["another scheme", `mysql://holdfast:${secret}@h/db`],
  ["no host", `postgres://holdfast:${secret}@/db`],
  ["nothing", ""],
])("refuses %s, without a part of the URL", (_, url) => {
  let message = "";
  try {
    parseDatabaseUrl(url);
  } catch (thrown) {
    expect(thrown).toMatchObject({ reason: "CONFIGURATION_INVALID" });
    message = (thrown as Error).message;
  }
  expect(message).toMatch(/^The URL of the database (must|has)/);
  expect(message).not.toContain(secret);
});
