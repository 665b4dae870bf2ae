import { toBinary, type DescFile } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Descriptors served by reflection: the given files and everything they import. */
export interface Descriptors {
  /** Finds a file by its name in import statements. */
  byName(name: string): DescFile | undefined;
  /**
   * Finds the file that defines a message, field, enum, value, service, method or extension by its
   * full name.
   */
  bySymbol(symbol: string): DescFile | undefined;
  /** Finds the file that defines an extension. */
  byExtension(extendee: string, number: number): DescFile | undefined;
  /**
   * Returns the numbers of the known extensions of a message, or undefined for an unknown message.
   */
  extensionNumbers(extendee: string): number[] | undefined;
  /**
   * Returns a file and its imports, imports first, as encoded FileDescriptorProtos with all
   * options.
   */
  closure(file: DescFile): { name: string; bytes: Uint8Array }[];
}

/** Indexes the given files and everything they import. */
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

/** protobuf-es omits the suffix from file names. */
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
        // Enum values are named in the scope that encloses their enum.
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
