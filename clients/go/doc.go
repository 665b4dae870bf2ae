// Package holdfast is a client of a Holdfast document host, over gRPC.
//
// [Dial] answers a [Client] that has the generated clients of all services as fields, and beside them the work that takes
// more than one call: backups and restores that are waited for, archives that go on after a cut, documents in bulk. All
// errors of the host, from generated clients too, are [*Error].
//
// Times are microseconds since 1970 and sizes are bytes, as int64.
package holdfast
