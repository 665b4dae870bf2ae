import type { AllowedDifference } from "./compare.js";
import { fileDifferences } from "./differences/files.js";
import { documentDifferences } from "./differences/documents.js";
import { migrationDifferences } from "./differences/migrations.js";
import { managementDifferences } from "./differences/management.js";

/**
 * The intended differences between Holdfast and Xenon, as documented in docs/from-xenon.md. The suite fails on a
 * difference without a row, and on a row without a difference.
 */
export const allowedDifferences: readonly AllowedDifference[] = [
  ...documentDifferences,
  ...managementDifferences,
  ...migrationDifferences,
  ...fileDifferences,
];
