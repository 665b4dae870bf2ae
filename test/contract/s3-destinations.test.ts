import {
  haveRclone,
  haveVersitygw,
  laxStore,
  strictStore,
  type S3Store,
} from "../support/s3-store.js";
import { destinationContract } from "./destination-suite.js";

let count = 0;
let strict: Promise<S3Store> | undefined;
let lax: Promise<S3Store> | undefined;

for (const [what, container, name] of [
  ["objects", "DIRECTORY", "shop"],
  ["a ZIP", "ZIP", "b.zip"],
] as const) {
  (haveVersitygw ? describe : describe.skip)(`${what} where conditions are enforced`, () => {
    destinationContract(`${what} in an S3 store that enforces conditions`, {
      container,
      async prepare() {
        const { uri } = await (strict ??= strictStore());
        return { uriOf: () => `${uri}/p${(count += 1)}/${name}` };
      },
    });
  });
  (haveRclone ? describe : describe.skip)(`${what} where nothing is enforced`, () => {
    destinationContract(`${what} in an S3 store that enforces nothing`, {
      container,
      like: `${what} in an S3 store that enforces conditions`,
      warnings: [expect.stringContaining("does not enforce conditional writes")],
      async prepare() {
        const { uri } = await (lax ??= laxStore());
        return { uriOf: () => `${uri}/p${(count += 1)}/${name}` };
      },
    });
  });
}
