import type { OperationProgress } from "./model.js";

/** How a piece of work tells where it stands; what is not given stays as it was. */
export type Report = (
  progress: Partial<Omit<OperationProgress, "warnings">> & { warning?: string },
) => void;
