import { toBinary, type DescFile } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Everything that reflection can be asked for, over the files given and all that they import. */
export interface Descriptors {
  /** The file of that name, as imports name it. */
  byName(name: string): DescFile | undefined;
  /** The file that defines a message, field, enum, value, service, method or extension, by its full name. */
  bySymbol(symbol: string): DescFile | undefined;
  byExtension(extendee: string, number: number): DescFile | undefined;
  /** The numbers of the known extensions of a message; undefined: there is no such message. */
  extensionNumbers(extendee: string): number[] | undefined;
  /** A file and what it imports, imports first, as FileDescriptorProto in bytes with all options. */
  closure(file: DescFile): { name: string; bytes: Uint8Array }[];
}

export function createDescriptors(roots: Iterable<DescFile>): Descriptors {
  const files = new Map<string, DescFile>();
  for (const root of roots) for (const file of withImports(root)) files.set(fileName(file), file);
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of files.values()) index(file, symbols, extensions);
  const encoded = new Map<DescFile, Uint8Array>();
  return {
    byName: (name) => files.get(name),
    bySymbol: (symbol) => symbols.get(symbol),
    byExtension: (extendee, number) => extensions.get(extendee)?.get(number),
    extensionNumbers: (extendee) =>
      symbols.has(extendee) ? [...(extensions.get(extendee)?.keys() ?? [])] : undefined,
    closure: (file) =>
      [...withImports(file)].map((each) => {
        const bytes = encoded.get(each) ?? toBinary(FileDescriptorProtoSchema, each.proto);
        encoded.set(each, bytes);
        return { name: fileName(each), bytes };
      }),
  };
}

/** protobuf-es leaves the suffix out of its names. */
function fileName(file: DescFile): string {
  return `${file.name}.proto`;
}

function withImports(file: DescFile, seen = new Set<DescFile>()): Set<DescFile> {
  if (seen.has(file)) return seen;
  for (const dependency of file.dependencies) withImports(dependency, seen);
  return seen.add(file);
}

function index(
  file: DescFile,
  symbols: Map<string, DescFile>,
  extensions: Map<string, Map<number, DescFile>>,
) {
  for (const type of nestedTypes(file)) {
    symbols.set(type.typeName, file);
    switch (type.kind) {
      case "message":
        for (const member of [...type.fields, ...type.oneofs])
          symbols.set(`${type.typeName}.${member.name}`, file);
        break;
      case "service":
        for (const method of type.methods) symbols.set(`${type.typeName}.${method.name}`, file);
        break;
      case "enum":
        // Values are named in the scope around their enum.
        for (const value of type.values)
          symbols.set(type.typeName.replace(/[^.]*$/, value.name), file);
        break;
      case "extension": {
        const extendee = type.extendee.typeName;
        extensions.set(
          extendee,
          (extensions.get(extendee) ?? new Map<number, DescFile>()).set(type.number, file),
        );
      }
    }
  }
}
