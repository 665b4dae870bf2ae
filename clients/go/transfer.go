package holdfast

import (
	"context"
	"hash/crc32"
	"time"

	managementv1 "holdfast.dev/clients/go/management/v1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DownloadOption sets how an archive is fetched.
type DownloadOption interface{ applyDownload(*downloadOptions) }

// UploadOption sets how an archive is sent and what is restored from it.
type UploadOption interface{ applyUpload(*uploadOptions) }

// TransferOption is for both ways.
type TransferOption interface {
	DownloadOption
	UploadOption
}

type transferOptions struct {
	keep     bool
	progress func(done, total int64)
}

type downloadOptions struct {
	transferOptions
	request managementv1.StreamBackupRequest
	anew    bool
}

type uploadOptions struct {
	transferOptions
	header managementv1.StreamRestoreHeader
}

type downloadOption func(*downloadOptions)

func (f downloadOption) applyDownload(o *downloadOptions) { f(o) }

type uploadOption func(*uploadOptions)

func (f uploadOption) applyUpload(o *uploadOptions) { f(o) }

type transferOption struct {
	downloadOption
	uploadOption
}

func forBoth(f func(*transferOptions)) TransferOption {
	return transferOption{
		func(o *downloadOptions) { f(&o.transferOptions) },
		func(o *uploadOptions) { f(&o.transferOptions) },
	}
}

// WithIndexLink names the index. Default: /core/document-index.
func WithIndexLink(link string) TransferOption {
	return transferOption{
		func(o *downloadOptions) { o.request.IndexLink = link },
		func(o *uploadOptions) { o.header.IndexLink = link },
	}
}

// WithTransferName names the transfer, transfers/NAME. A download fetches that one, which is there already, and leaves it
// there. An upload is kept under that name until it is restored: one that was cut, by another process too, goes on where
// it was. Default: a name made up for the call.
func WithTransferName(name string) TransferOption {
	return transferOption{
		func(o *downloadOptions) { o.request.TransferName = name },
		func(o *uploadOptions) { o.header.TransferName = name },
	}
}

// WithKeep leaves the archive on the host after the call, until nobody has touched it for a while: it can be a source,
// transfer:NAME, for others that build on it. Default: it is deleted.
func WithKeep() TransferOption {
	return forBoth(func(o *transferOptions) { o.keep = true })
}

// WithProgress hears how many bytes were taken or sent, of how many. It is less again after a cut.
func WithProgress(f func(done, total int64)) TransferOption {
	return forBoth(func(o *transferOptions) { o.progress = f })
}

// WithSince takes what came after another backup alone: the ManifestSha256 of one that was streamed before.
func WithSince(manifestSHA256 string) DownloadOption {
	return downloadOption(func(o *downloadOptions) { o.request.Since = manifestSHA256 })
}

// WithStore stores the files in the archive instead of compressing them.
func WithStore() DownloadOption {
	return downloadOption(func(o *downloadOptions) { o.request.Store = true })
}

// WithoutResume takes a new backup, whatever an earlier call left beside the file.
func WithoutResume() DownloadOption {
	return downloadOption(func(o *downloadOptions) { o.anew = true })
}

// WithTargetTime restores to a moment, in microseconds since 1970; versions at exactly this time stay. Default: everything.
func WithTargetTime(micros int64) UploadOption {
	return uploadOption(func(o *uploadOptions) { o.header.TargetTimeMicros = &micros })
}

// WithBaseSources names archives that this one builds on, oldest first: transfer:, file:, http: and https: URIs.
func WithBaseSources(uris ...string) UploadOption {
	return uploadOption(func(o *uploadOptions) { o.header.BaseSources = uris })
}

// WithValidateOnly sends and checks the archive, and restores nothing.
func WithValidateOnly() UploadOption {
	return uploadOption(func(o *uploadOptions) { o.header.ValidateOnly = true })
}

// forget frees what a transfer takes. The host would do so after a while: a failure takes nothing from what was done.
func (c *Client) forget(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = c.Management.DeleteTransfer(ctx, &managementv1.DeleteTransferRequest{Name: name})
}
