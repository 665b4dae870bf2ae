/** A violation of the rules of a field. */
export interface FieldViolation {
  /** Field path, for example `segments[2].name`. */
  field: string;
  description: string;
  /** ID of the violated rule, for example string.max_bytes. */
  rule: string;
}

/** Cause of a REQUEST_INVALID with invalid fields; sent to clients as google.rpc.BadRequest. */
export class RequestViolations extends Error {
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[]) {
    super(violations.map((violation) => `${violation.field}: ${violation.description}`).join("; "));
    this.name = "RequestViolations";
    this.violations = violations;
  }
}
