#!/usr/bin/env node
import { CommanderError } from "commander";
import { exitCode, HostError } from "../errors.js";
import { trackOutputFailures } from "./output-failure.js";
import { createProgram } from "./program.js";

const usageError = 64;

trackOutputFailures();
try {
  await createProgram(process.argv[2]).parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? 0 : usageError;
    if (thrown.exitCode !== 0 && process.argv.includes("--json")) {
      const { printJsonError } = await import("./output/json.js");
      await printJsonError(
        "",
        new HostError("REQUEST_INVALID", thrown.message.replace(/^error: /, "")),
      );
    }
  } else {
    const error = HostError.from(thrown);
    const { printable } = await import("./output/printable.js");
    const { printCause } = await import("./output/error.js");
    process.stderr.write(`holdfast: ${printable(error.message)}\n`);
    printCause(error);
    process.exitCode = exitCode(error);
  }
}
