import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.js";

export interface Issued {
  certificate: string;
  key: string;
  certificateFile: string;
  keyFile: string;
}

/** A certificate authority made by openssl, and the certificates that it issues. */
export function authority() {
  const directory = temporaryDirectory();
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=Test authority",
    "-addext",
    "basicConstraints=critical,CA:TRUE",
  );
  return {
    file: at("ca.pem"),
    pem: readFileSync(at("ca.pem"), "utf8"),
    /** `names` in the syntax of openssl for alternative names, for example IP:127.0.0.1. */
    issue(name: string, names: string, days = 2): Issued {
      openssl(
        "req",
        ...newKey,
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.csr`,
        "-subj",
        `/CN=${name}`,
      );
      writeFileSync(at(`${name}.ext`), `subjectAltName=${names}\n`);
      openssl(
        "x509",
        "-req",
        "-in",
        `${name}.csr`,
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        `${name}.pem`,
        "-days",
        String(days),
        "-extfile",
        `${name}.ext`,
      );
      const [certificateFile, keyFile] = [at(`${name}.pem`), at(`${name}.key`)];
      return {
        certificateFile,
        keyFile,
        certificate: readFileSync(certificateFile, "utf8"),
        key: readFileSync(keyFile, "utf8"),
      };
    },
  };
}
