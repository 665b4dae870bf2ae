import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Validator } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { HostError } from "../../errors.js";
import { RequestViolations } from "./violations.js";

/**
 * Validates a message against the rules in its proto. Throws REQUEST_INVALID, caused by
 * RequestViolations.
 */
export type Validate = (schema: DescMessage, message: Message) => void | Promise<void>;

/** Maximum number of reported fields, since the error must fit into a header. */
const maxViolations = 20;

/**
 * Creates a validator. The library, a quarter of all code, is loaded on first use, and rules are
 * compiled per message type.
 */
export function createValidate(): Validate {
  let loaded: Validator | undefined;
  let loading: Promise<Validator> | undefined;
  return (schema, message) => {
    if (loaded) return check(loaded, schema, message);
    loading ??= import("@bufbuild/protovalidate").then(
      ({ createValidator }) => (loaded = createValidator()),
    );
    return loading.then((validator) => check(validator, schema, message));
  };
}

function check(validator: Validator, schema: DescMessage, message: Message): void {
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return;
  // A rule that cannot be evaluated is an internal error.
  if (result.kind === "error") throw result.error;
  const violations = result.violations.slice(0, maxViolations).map((violation) => ({
    field: pathToString(violation.field),
    description: violation.message,
    rule: violation.ruleId,
  }));
  const [first] = violations;
  const more = result.violations.length > 1 ? ` (and ${result.violations.length - 1} more)` : "";
  throw new HostError(
    "REQUEST_INVALID",
    `${schema.name}: ${first?.field}: ${first?.description}${more}.`,
    {
      metadata: { field: first?.field ?? "" },
      cause: new RequestViolations(violations),
    },
  );
}

/** Creates an interceptor that validates each message of a request. */
export function validationInterceptor(validate: Validate): Interceptor {
  return (next) => async (request) => {
    if (!request.stream) {
      await validate(request.method.input, request.message);
      return next(request);
    }
    const { input } = request.method;
    async function* checked(messages: AsyncIterable<Message>) {
      for await (const message of messages) {
        await validate(input, message);
        yield message;
      }
    }
    return next({ ...request, message: checked(request.message) });
  };
}
