import { ask, type ListedRequest } from "../request.js";

const factory = "/core/examples";
const filter = (text: string) => encodeURIComponent(text);

/** Ten documents for listings and queries, numbered from 0. */
const made: ListedRequest[] = Array.from({ length: 10 }, (_, i) =>
  ask(
    `post of number ${i}`,
    "POST",
    factory,
    {
      documentSelfLink: `n-${i}`,
      name: `name ${i}`,
      counter: i,
      sortedCounter: 100 - i,
      tags: i % 2 === 0 ? ["even", "all"] : ["odd", "all"],
      keyValues: { third: String(i % 3) },
    },
    i === 4 ? { take: { t4: "documentUpdateTimeMicros" } } : {},
  ),
);

/** GET of factories: complete, expanded, filtered, counted and by page. */
export const listingRequests: readonly ListedRequest[] = [
  ...made,
  ask("delete of number 9", "DELETE", `${factory}/n-9`),
  ask("patch of number 8", "PATCH", `${factory}/n-8`, { name: "renamed" }),
  ask(
    "the first version of number 8",
    "GET",
    `/core/document-index?documentSelfLink=${factory}/n-8&documentVersion=0`,
  ),
  ask(
    "the second version of number 8",
    "GET",
    `/core/document-index?documentSelfLink=${factory}/n-8&documentVersion=1`,
  ),
  ask(
    "the version that deleted number 9",
    "GET",
    `/core/document-index?documentSelfLink=${factory}/n-9&documentVersion=1`,
  ),
  ask("the factory", "GET", factory),
  ask("the factory with a slash", "GET", `${factory}/`),
  ask("the factory, expanded", "GET", `${factory}?expand`),
  ask("the factory, $expand", "GET", `${factory}?$expand=*`),
  ask("a count", "GET", `${factory}?$count=true`),
  ask("a filter", "GET", `${factory}?$filter=${filter("name eq 'name 3'")}`),
  ask("a filter, expanded", "GET", `${factory}?$filter=${filter("name eq 'name 3'")}&expand`),
  ask("a filter that finds nothing", "GET", `${factory}?$filter=${filter("name eq 'nobody'")}`),
  ask("a filter of a number", "GET", `${factory}?$filter=${filter("counter gt 5")}`),
  ask("a filter of two", "GET", `${factory}?$filter=${filter("counter ge 2 and counter lt 5")}`),
  ask("a filter of either", "GET", `${factory}?$filter=${filter("counter eq 2 or counter eq 5")}`),
  ask("a filter with ne", "GET", `${factory}?$filter=${filter("counter ne 2 and counter ge 0")}`),
  ask("a filter of a pattern", "GET", `${factory}?$filter=${filter("name eq 'name*'")}`),
  ask("a filter of a tag", "GET", `${factory}?$filter=${filter("tags.item eq 'odd'")}`),
  ask("a filter of a key value", "GET", `${factory}?$filter=${filter("keyValues.third eq '1'")}`),
  ask("a filter and a count", "GET", `${factory}?$filter=${filter("counter gt 5")}&$count=true`),
  ask("a bad filter", "GET", `${factory}?$filter=${filter("name eq")}`),
  ask(
    "an order",
    "GET",
    `${factory}?$filter=${filter("counter ge 0")}&$orderby=${filter("sortedCounter asc")}&$orderbytype=LONG`,
    undefined,
    { ordered: true },
  ),
  ask(
    "an order downwards",
    "GET",
    `${factory}?$filter=${filter("counter ge 0")}&$orderby=${filter("name desc")}`,
    undefined,
    { ordered: true },
  ),
  ask(
    "the first three",
    "GET",
    `${factory}?$filter=${filter("counter ge 0")}&$orderby=${filter("sortedCounter asc")}&$orderbytype=LONG&$top=3`,
    undefined,
    { ordered: true },
  ),
  ask(
    "a page",
    "GET",
    `${factory}?$filter=${filter("counter ge 0")}&$limit=5&$orderby=${filter("documentSelfLink asc")}`,
    undefined,
    { ordered: true, take: { page: "nextPageLink" } },
  ),
  ask("the next page", "GET", "{page}", undefined, { ordered: true }),
  ask(
    "a page, expanded",
    "GET",
    `${factory}?$filter=${filter("counter ge 0")}&$limit=5&expand&$orderby=${filter("documentSelfLink asc")}`,
    undefined,
    { ordered: true },
  ),
  ask("a limit above the count", "GET", `${factory}?$limit=1000`),
  ask("a limit of zero", "GET", `${factory}?$limit=0`),
  ask("the in-memory factory, expanded", "GET", "/core/in-memory-examples?expand"),
  ask("the third factory", "GET", "/core/indexed-metadata-examples"),
];
