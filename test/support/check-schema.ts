/** The subset of JSON Schema that the OpenAPI document uses. */
export interface Schema {
  $ref?: string;
  type?: string;
  enum?: string[];
  pattern?: string;
  minimum?: number;
  oneOf?: Schema[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
}

/** The violations of a schema by a value, each with its path; empty if the value is valid. */
export function problemsOf(
  schema: Schema,
  value: unknown,
  resolve: (ref: string) => Schema,
  at = "$",
): string[] {
  if (schema.$ref !== undefined) return problemsOf(resolve(schema.$ref), value, resolve, at);
  if (schema.oneOf) {
    const fitting = schema.oneOf.filter(
      (one) => problemsOf(one, value, resolve, at).length === 0,
    ).length;
    return fitting === 1 ? [] : [`${at} fits ${fitting} of oneOf`];
  }
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  const wanted = schema.type === "integer" ? "number" : schema.type;
  if (wanted !== undefined && wanted !== type) return [`${at} is ${type}, not ${wanted}`];
  if (schema.type === "integer" && !Number.isInteger(value)) return [`${at} is no integer`];
  if (typeof value === "number" && schema.minimum !== undefined && value < schema.minimum)
    return [`${at} is below ${schema.minimum}`];
  if (typeof value === "string" && schema.enum && !schema.enum.includes(value))
    return [`${at} is none of ${schema.enum.join(", ")}`];
  if (
    typeof value === "string" &&
    schema.pattern !== undefined &&
    !new RegExp(schema.pattern).test(value)
  )
    return [`${at} does not match ${schema.pattern}`];
  if (Array.isArray(value))
    return value.flatMap((item, i) =>
      schema.items ? problemsOf(schema.items, item, resolve, `${at}[${i}]`) : [],
    );
  if (type !== "object") return [];
  const members = Object.entries(value as Record<string, unknown>);
  const missing = (schema.required ?? [])
    .filter((name) => !members.some(([given]) => given === name))
    .map((name) => `${at} lacks ${name}`);
  return [
    ...missing,
    ...members.flatMap(([name, member]) => {
      const known = schema.properties?.[name];
      if (known) return problemsOf(known, member, resolve, `${at}.${name}`);
      if (schema.additionalProperties === false) return [`${at} has ${name}, which is not known`];
      return typeof schema.additionalProperties === "object"
        ? problemsOf(schema.additionalProperties, member, resolve, `${at}.${name}`)
        : [];
    }),
  ];
}
