import { clockPlatform, hostFixture } from "../support/host-fixture.js";
import { historyContract } from "./history-suite.js";

historyContract("a host", async () => {
  const platform = clockPlatform(1_700_000_000_000_000);
  return { fixture: await hostFixture({ platform }), clock: platform.clock };
});
