import type { AllowedDifference } from "./compare.js";
import { fileDifferences } from "./differences/files.js";
import { documentDifferences } from "./differences/documents.js";
import { migrationDifferences } from "./differences/migrations.js";
import { managementDifferences } from "./differences/management.js";

/**
 * Where Holdfast answers otherwise than Xenon, and means to. docs/from-xenon.md tells it to those who come from Xenon. A
 * difference that no row allows fails the suite, and so does a row that allows nothing any more.
 */
export const allowedDifferences: readonly AllowedDifference[] = [
  ...documentDifferences,
  ...managementDifferences,
  ...migrationDifferences,
  ...fileDifferences,
];
