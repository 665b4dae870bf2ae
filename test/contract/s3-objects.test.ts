import { systemPlatform as platform } from "../../src/io/platform.js";
import type { Destination } from "../../src/destination/destination.js";
import { S3Scheme } from "../../src/destination/s3/scheme.js";
import {
  haveRclone,
  haveVersitygw,
  laxStore,
  strictStore,
  type S3Store,
} from "../support/s3-store.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { objectContract } from "./object-suite.js";

let count = 0;

/** A new prefix of a store that all tests of this file share. */
async function openPrefix(store: S3Store): Promise<Destination> {
  const scheme = new S3Scheme({
    platform: { ...platform, lease: { heartbeatMs: 100, expiryMs: 1000 } },
    policy: { allowPrivate: true, allowed: [] },
    tls: {},
    temporaryDirectory: temporaryDirectory(),
  });
  const uri = `${store.uri}/p${(count += 1)}/q`;
  const { destination } = await scheme.open({ uri, purpose: "write objects" });
  await destination.probe?.(new AbortController().signal);
  return destination;
}

(haveVersitygw ? describe : describe.skip)("a store that enforces conditions", () => {
  let store: Promise<S3Store> | undefined;
  objectContract("S3", {
    name: "object",
    open: async () => openPrefix(await (store ??= strictStore())),
  });
});

(haveRclone ? describe : describe.skip)("a store that enforces nothing", () => {
  let store: Promise<S3Store> | undefined;
  objectContract("S3", {
    name: "object",
    open: async () => openPrefix(await (store ??= laxStore())),
  });
});
