export interface OperationProgress {
  /** For example "exporting", "verifying", "building", "switching". */
  stage: string;
  bytesDone: number;
  bytesTotal: number;
  documentsDone: number;
  documentsTotal: number;
  warnings: string[];
}

/** How a piece of work tells where it stands; what is not given stays as it was. */
export type Report = (
  progress: Partial<Omit<OperationProgress, "warnings">> & { warning?: string },
) => void;
