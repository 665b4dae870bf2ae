#!/usr/bin/env node
import { Command } from "commander";
import { HostError, exitCode } from "../errors.js";
import { productVersion } from "../product-version.js";
import { addImport } from "./commands/import.js";
import { addServe } from "./commands/serve.js";

const program = new Command("holdfast")
  .description("A document host whose backups can be trusted.")
  .version(productVersion)
  .showHelpAfterError("(holdfast --help shows the commands)");
addServe(program);
addImport(program);

program.parseAsync().catch((thrown: unknown) => {
  const error = HostError.from(thrown);
  process.stderr.write(`holdfast: ${error.message}\n`);
  if (error.reason === "INTERNAL") console.error(error.cause);
  process.exitCode = exitCode(error);
});
