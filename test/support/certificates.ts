import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./tools.js";

/** A certificate and its key, as files and as text. */
export interface Pair {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

/** A root of its own and what it signs, made by openssl in a directory. */
export async function makeAuthority(directory: string, name: string) {
  const openssl = async (...args: string[]) => {
    const { code, stderr } = await run("openssl", args);
    if (code !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  };
  const path = (file: string) => join(directory, `${name}-${file}`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await openssl("req", "-x509", ...curve, "-subj", `/CN=${name}`, "-keyout", path("ca.key"), "-out", path("ca.pem"));
  return {
    caFile: path("ca.pem"),
    ca: readFileSync(path("ca.pem"), "utf8"),
    async sign(subject: string): Promise<Pair> {
      const [certFile, keyFile] = [path(`${subject}.pem`), path(`${subject}.key`)];
      const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
      const issuer = ["-CA", path("ca.pem"), "-CAkey", path("ca.key")];
      await openssl("req", "-x509", ...curve, ...issuer, "-subj", `/CN=${subject}`, "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", keyFile, "-out", certFile);
      return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
    },
  };
}
export type Authority = Awaited<ReturnType<typeof makeAuthority>>;
