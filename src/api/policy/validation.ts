import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Validator } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { HostError } from "../../errors.js";
import { RequestViolations } from "./violations.js";

/** Throws REQUEST_INVALID, its cause a RequestViolations, where the message breaks the rules of its definition. */
export type Validate = (schema: DescMessage, message: Message) => void | Promise<void>;

/** An answer names at most this many fields: it has to fit into a header. */
const maxViolations = 20;

/** The rules are compiled at the first message of each type, and what compiles them, a quarter of all code, is loaded at the first of all. */
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
  // The rules are ours: one that cannot be evaluated is our fault, not the request's.
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

/** Validates each message of a request before the method sees it. */
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
