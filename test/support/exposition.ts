/** One metric of a scrape: its type, help text, and samples by name and labels as written. */
export interface Family {
  type: string;
  help: string;
  samples: Map<string, number>;
}

const suffixes: Record<string, readonly string[]> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
};
const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"/y;

/** A strict parser of the Prometheus text format 0.0.4: any deviation is an error. */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no line break");
  const families = new Map<string, Family>();
  const helps = new Map<string, string>();
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const [, keyword, name = "", rest = ""] =
      /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (keyword === "HELP") {
      if (helps.has(name)) throw new Error(`duplicate HELP of ${name}`);
      helps.set(name, rest);
    } else if (keyword === "TYPE") {
      const help = helps.get(name);
      if (help === undefined || families.has(name) || suffixes[rest] === undefined)
        throw new Error(`unexpected line: ${line}`);
      families.set(name, { type: rest, help, samples: new Map() });
      current = name;
    } else readSample(line, current, families);
  }
  for (const name of helps.keys())
    if (!families.has(name)) throw new Error(`${name} has a HELP but no TYPE`);
  for (const [name, family] of families)
    if (family.type === "histogram") checkHistogram(name, family);
  return families;
}

function readSample(line: string, current: string, families: Map<string, Family>): void {
  const [, name = "", , labels, value = ""] =
    /^([a-zA-Z_:][\w:]*)(\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|\+Inf|NaN)$/.exec(
      line,
    ) ?? [];
  const family = families.get(current);
  if (!family || !suffixes[family.type]?.some((suffix) => name === current + suffix))
    throw new Error(`no sample of ${current}: ${line}`);
  const names = new Set<string>();
  let at = 0;
  while (labels !== undefined && at < labels.length) {
    label.lastIndex = at;
    const match = label.exec(labels);
    if (!match?.[1] || names.has(match[1])) throw new Error(`invalid labels: ${line}`);
    names.add(match[1]);
    at = label.lastIndex;
    if (at < labels.length && labels[at++] !== ",") throw new Error(`invalid labels: ${line}`);
  }
  const key = labels === undefined ? name : `${name}{${labels}}`;
  if (family.samples.has(key)) throw new Error(`duplicate series: ${key}`);
  const number = Number(value.replace("Inf", "Infinity"));
  if (family.type === "counter" && !(number >= 0)) throw new Error(`negative counter: ${line}`);
  family.samples.set(key, number);
}

/** Bucket counts increase, and the last one equals the total. */
function checkHistogram(name: string, { samples }: Family): void {
  const last = new Map<string, number>();
  for (const [key, value] of samples) {
    if (!key.startsWith(`${name}_bucket{`)) continue;
    const others = key
      .slice(name.length + "_bucket".length)
      .replace(/,?le="[^"]*",?/, "")
      .replace(/^\{\}$/, "");
    if (value < (last.get(others) ?? 0)) throw new Error(`decreasing bucket: ${key}`);
    last.set(others, value);
  }
  for (const [others, value] of last) {
    if (samples.get(`${name}_count${others}`) !== value)
      throw new Error(
        `the last bucket of ${name}${others} is ${value}, which differs from its count`,
      );
  }
}
