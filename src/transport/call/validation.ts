import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { HostError } from "../../errors.js";
import { RequestViolations } from "./violations.js";

/** Throws REQUEST_INVALID, its cause a RequestViolations, where the message breaks the rules of its definition. */
export type Validate = (schema: DescMessage, message: Message) => void;

/** An answer names at most this many fields: it has to fit into a header. */
const maxViolations = 20;

/** The rules are compiled at the first message of each type. */
export function createValidate(): Validate {
  const validator = createValidator();
  return (schema, message) => {
    const result = validator.validate(schema, message);
    if (result.kind === "valid") return;
    // The rules are ours: one that cannot be evaluated is our fault, not the request's.
    if (result.kind === "error") throw result.error;
    const violations = result.violations.slice(0, maxViolations).map((violation) => ({
      field: pathToString(violation.field),
      description: violation.message,
      rule: violation.ruleId,
    }));
    const [first] = violations;
    const more = result.violations.length > 1 ? ` (and ${result.violations.length - 1} more)` : "";
    throw new HostError("REQUEST_INVALID", `${schema.name}: ${first?.field}: ${first?.description}${more}.`, {
      metadata: { field: first?.field ?? "" },
      cause: new RequestViolations(violations),
    });
  };
}

/** Validates each message of a request before the method sees it. */
export function validationInterceptor(validate: Validate): Interceptor {
  return (next) => (request) => {
    if (!request.stream) {
      validate(request.method.input, request.message);
      return next(request);
    }
    const { input } = request.method;
    async function* checked(messages: AsyncIterable<Message>) {
      for await (const message of messages) {
        validate(input, message);
        yield message;
      }
    }
    return next({ ...request, message: checked(request.message) });
  };
}
