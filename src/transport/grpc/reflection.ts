import {
  create,
  fromBinary,
  toBinary,
  type DescFile,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { codeNumbers, type Code } from "../../errors.js";
import * as v1 from "../../../gen/ts/grpc/reflection/v1/reflection_pb.js";
import * as v1alpha from "../../../gen/ts/grpc/reflection/v1alpha/reflection_pb.js";
import { bindService, type BoundService } from "../../api/call/bound-service.js";
import { createDescriptors, type Descriptors } from "./descriptors.js";

type Answer = NonNullable<
  MessageInitShape<typeof v1.ServerReflectionResponseSchema>["messageResponse"]
>;

/**
 * Returns the server reflection services, v1 and v1alpha. They list the given services and
 * themselves, and know their files, everything these import, and the extra files (messages only
 * used inside an Any). Options defined by third parties are preserved.
 */
export function reflectionServices(
  served: readonly BoundService[],
  extraFiles: readonly DescFile[] = [],
): BoundService[] {
  const services = [
    ...served.map((each) => each.service),
    v1.ServerReflection,
    v1alpha.ServerReflection,
  ];
  const descriptors = createDescriptors([
    ...services.map((service) => service.file),
    ...extraFiles,
  ]);
  const names = services.map((service) => service.typeName).toSorted();

  async function* answers(requests: AsyncIterable<v1.ServerReflectionRequest>) {
    // Each file is sent once per stream, as clients keep the files they received.
    const sent = new Set<string>();
    for await (const request of requests) {
      const messageResponse = answer(descriptors, names, request.messageRequest, sent);
      yield { validHost: request.host, originalRequest: request, messageResponse };
    }
  }
  const implementation: ServiceImpl<typeof v1.ServerReflection> = { serverReflectionInfo: answers };
  return [
    bindService(v1.ServerReflection, implementation),
    bindService(v1alpha.ServerReflection, alpha(implementation)),
  ];
}

function answer(
  descriptors: Descriptors,
  services: string[],
  request: v1.ServerReflectionRequest["messageRequest"],
  sent: Set<string>,
): Answer {
  const file = (found: DescFile | undefined, what: string): Answer => {
    if (!found) return failure("NOT_FOUND", `${what} not found.`);
    const all = descriptors.closure(found);
    const asked = all.at(-1)?.name;
    const fileDescriptorProto = all
      .filter(({ name }) => name === asked || !sent.has(name))
      .map(({ name, bytes }) => (sent.add(name), bytes));
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  };
  switch (request.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return file(descriptors.byName(request.value), request.value);
    case "fileContainingSymbol":
      return file(descriptors.bySymbol(request.value), request.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      return file(
        descriptors.byExtension(containingType, extensionNumber),
        `Extension ${extensionNumber} of ${containingType}`,
      );
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = descriptors.extensionNumbers(request.value);
      if (!extensionNumber) return failure("NOT_FOUND", `${request.value} not found.`);
      return {
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: request.value, extensionNumber },
      };
    }
    default:
      return failure(
        "INVALID_ARGUMENT",
        "The request is empty: set one of the message_request fields.",
      );
  }
}

function failure(code: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode: codeNumbers[code], errorMessage } };
}

/** Adapts v1 to v1alpha, whose messages have the same encoding. */
function alpha(
  implementation: ServiceImpl<typeof v1.ServerReflection>,
): ServiceImpl<typeof v1alpha.ServerReflection> {
  return {
    async *serverReflectionInfo(requests, context) {
      async function* asV1() {
        for await (const request of requests) {
          yield fromBinary(
            v1.ServerReflectionRequestSchema,
            toBinary(v1alpha.ServerReflectionRequestSchema, request),
          );
        }
      }
      for await (const answer of implementation.serverReflectionInfo(asV1(), context)) {
        const { ServerReflectionResponseSchema: schema } = v1;
        const bytes = toBinary(schema, create(schema, answer));
        yield fromBinary(v1alpha.ServerReflectionResponseSchema, bytes);
      }
    },
  };
}
