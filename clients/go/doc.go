// Package holdfast is a client of a Holdfast document host, over gRPC.
//
// [Dial] returns a [Client]. Its fields are the generated clients of all services. Its methods combine several calls:
// they wait for backups and restores, resume interrupted transfers of archives, and import and export documents. All
// errors of the host, including those of generated clients, are [*Error].
//
// Times are microseconds since 1970 and sizes are bytes, as int64.
package holdfast
