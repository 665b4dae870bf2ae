import {
  create,
  createFileRegistry,
  setExtension,
  type DescService,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { http } from "../../gen/ts/google/api/annotations_pb.js";
import { HttpRuleSchema } from "../../gen/ts/google/api/http_pb.js";

type Rule = MessageInitShape<typeof HttpRuleSchema>;

const field = (
  name: string,
  number: number,
  type: Type,
  typeName = "",
  label = Label.OPTIONAL,
) => ({ name, jsonName: name, number, type, typeName, label });

/**
 * A service test.v1.Tester of messages Ask and Told, with the given methods and annotations; methods whose names start
 * with Many stream their responses.
 */
export function restService(methods: Readonly<Record<string, Rule>>): DescService {
  const file = create(FileDescriptorProtoSchema, {
    name: "test/v1/tester.proto",
    package: "test.v1",
    syntax: "proto3",
    enumType: [
      {
        name: "Color",
        value: [
          { name: "COLOR_UNSPECIFIED", number: 0 },
          { name: "COLOR_RED", number: 1 },
        ],
      },
    ],
    messageType: [
      { name: "Inner", field: [field("text", 1, Type.STRING), field("count", 2, Type.INT32)] },
      {
        name: "Ask",
        field: [
          field("name", 1, Type.STRING),
          field("big", 2, Type.INT64),
          field("color", 3, Type.ENUM, ".test.v1.Color"),
          field("inner", 4, Type.MESSAGE, ".test.v1.Inner"),
          field("tags", 5, Type.STRING, "", Label.REPEATED),
        ],
      },
      {
        name: "Told",
        field: [
          field("ask", 1, Type.MESSAGE, ".test.v1.Ask"),
          field("lines", 2, Type.STRING, "", Label.REPEATED),
        ],
      },
    ],
    service: [
      {
        name: "Tester",
        method: Object.entries(methods).map(([name, rule]) => {
          const options = create(MethodOptionsSchema);
          setExtension(options, http, create(HttpRuleSchema, rule));
          return {
            name,
            inputType: ".test.v1.Ask",
            outputType: ".test.v1.Told",
            serverStreaming: name.startsWith("Many"),
            options,
          };
        }),
      },
    ],
  });
  const service = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getService(
    "test.v1.Tester",
  );
  if (!service) throw new Error("service test.v1.Tester not found");
  return service;
}
