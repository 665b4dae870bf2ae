export interface OperationProgress {
  /** For example "exporting", "verifying", "building", "switching". */
  stage: string;
  bytesDone: number;
  bytesTotal: number;
  documentsDone: number;
  documentsTotal: number;
  warnings: string[];
}

/** Reports progress. Absent fields keep their value. */
export type Report = (
  progress: Partial<Omit<OperationProgress, "warnings">> & { warning?: string },
) => void;
