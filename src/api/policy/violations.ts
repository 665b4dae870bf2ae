/** What is wrong with one field of a request. */
export interface FieldViolation {
  /** The path of the field, for example `segments[2].name`. */
  field: string;
  description: string;
  /** The id of the rule that was not met, for example string.max_bytes. */
  rule: string;
}

/** The cause of a REQUEST_INVALID that names fields; answers carry it as google.rpc.BadRequest. */
export class RequestViolations extends Error {
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[]) {
    super(violations.map((violation) => `${violation.field}: ${violation.description}`).join("; "));
    this.name = "RequestViolations";
    this.violations = violations;
  }
}
