import type { AllowedDifference } from "../compare.js";

const wrong = "It is the request that is wrong, not the host.";
const ranged = /^get of (a range|a range beyond the end|an open range|a whole file)$/;

export const fileDifferences: readonly AllowedDifference[] = [
  { request: /^no file services$|^the file services$/, field: "body.queryTimeMicros", xenon: undefined, ours: "<micros>", why: "As in every other listing." },
  { request: /^a file service without|^put of JSON$/, field: "status", xenon: 500, ours: 400, why: wrong },
  { request: "a file service without a body", field: "body.message", xenon: "file scheme uri is required", ours: /^"A POST needs the header Content-Type/, why: "Any web page could make a browser send such a POST." },
  { request: "put of JSON", field: "body.message", xenon: /^"class java\.lang\.String cannot be cast/, ours: /^"A file is sent as application\/octet-stream/, why: "Xenon's is the message of a failed cast." },
  { request: /^put (of a file's bytes|without a range)$/, field: "header.content-type", xenon: "application/octet-stream", ours: "application/json", why: "Xenon sends back what was sent; a line says as much." },
  { request: /^put (of a file's bytes|without a range)$/, field: /^body/, xenon: /./, ours: /./, why: "As above." },
  { request: "put after the end", field: "status", xenon: 500, ours: 400, why: wrong },
  { request: "put after the end", field: "body", xenon: "xyz", ours: /writeFinished is set/, why: "Xenon says so in its log, and sends back what was sent." },
  { request: /^get of a file service( that holds a backup)?$|^the end of writing$/, field: /^body\.(complete|totalBytes|receivedRanges)$/, xenon: undefined, ours: /./, why: "How far an upload is." },
  { request: ranged, field: "status", xenon: 200, ours: 206, why: "RFC 9110; to Xenon's own client both are the same." },
  { request: "get of an open range", field: "status", xenon: 400, ours: 206, why: "RFC 9110 knows open ranges." },
  { request: "get of an open range", field: /^body\.message$|^header\.content-(type|range)$/, xenon: /./, ours: /octet-stream/, why: "As above." },
  { request: "get of an open range", field: "header.content-range", xenon: undefined, ours: "bytes 4-9/10", why: "As above." },
  { request: "get of an open range", field: "body.message", xenon: 'For input string: ""', ours: undefined, why: "As above." },
  { request: /^get of a range beyond the end$|^get of a whole file$/, field: "header.content-range", xenon: "bytes 4-10/10", ours: "bytes 4-9/10", why: "The end is counted in, as RFC 9110 has it." },
  { request: "get of a whole file", field: "header.content-range", xenon: "bytes 0-10/10", ours: "bytes 0-4/5", why: "A shorter file replaces a longer one; Xenon leaves the end of the longer one." },
  { request: "get of a whole file", field: "body", xenon: "abcde56789", ours: "abcde", why: "As above." },
  { request: "get of a range", field: "body", xenon: 234, ours: 2345, why: "bytes=2-5 are four bytes, as RFC 9110 has it." },
  { request: ranged, field: /^header\.(accept-ranges|cache-control|last-modified|x-content-type-options)$/, xenon: undefined, ours: /./, why: "What other clients want to know." },
  { request: "get of a range behind the end", field: "status", xenon: 400, ours: 416, why: "RFC 9110." },
  { request: "get of a range behind the end", field: "header.content-range", xenon: "bytes 50-10/10", ours: "bytes */10", why: "RFC 9110." },
  { request: "get of a range behind the end", field: "body.message", xenon: /^"capacity < 0/, ours: /^"There are 10 bytes/, why: "Xenon's is the message of a failed allocation." },
  { request: "the end of writing", field: /^body\.(fileOptions|localFileUri)$/, xenon: [], ours: ["CREATE", "WRITE"], why: "Xenon's answer has lost the file and its options; the service has not." },
  { request: "the end of writing", field: "body.localFileUri", xenon: undefined, ours: "file:<dir>/small.bin", why: "As above." },
  { request: "delete of a file service", field: "body", xenon: undefined, ours: /"localFileUri":/, why: "The last state, as DELETE of a document answers it." },
  { request: "backup to a file service with a bearer", field: "body.bearer", xenon: "secret", ours: undefined, why: "A secret is in no answer." },
  { request: /^backup (as STREAM to an unknown service|to a missing file)$|^restore from an unknown file service$/, field: "status", xenon: 500, ours: 502, why: "It is the other host that refuses." },
  { request: /^backup (as STREAM to an unknown service|to a missing file)$|^restore from an unknown file service$/, field: "body.message", xenon: /./, ours: /answered (GET|PUT) with 40[04]/, why: "As above." },
];
