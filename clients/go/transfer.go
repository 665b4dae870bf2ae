package holdfast

import (
	"context"
	"hash/crc32"
	"time"

	managementv1 "holdfast.dev/clients/go/management/v1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DownloadOption configures a download.
type DownloadOption interface{ applyDownload(*downloadOptions) }

// UploadOption configures an upload and its restore.
type UploadOption interface{ applyUpload(*uploadOptions) }

// TransferOption configures a download or an upload.
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
	restart bool
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

// WithIndexLink sets the index. Default: /core/document-index.
func WithIndexLink(link string) TransferOption {
	return transferOption{
		func(o *downloadOptions) { o.request.IndexLink = link },
		func(o *uploadOptions) { o.header.IndexLink = link },
	}
}

// WithTransferName sets the name of the transfer, transfers/NAME. A download reads this existing transfer and keeps it on
// the host. An upload with a name can be resumed, also by another process, until it is restored. Default: a random name.
func WithTransferName(name string) TransferOption {
	return transferOption{
		func(o *downloadOptions) { o.request.TransferName = name },
		func(o *uploadOptions) { o.header.TransferName = name },
	}
}

// WithKeep keeps the archive on the host after the call until it expires, for use as a source transfer:NAME. Default: the
// archive is deleted.
func WithKeep() TransferOption {
	return forBoth(func(o *transferOptions) { o.keep = true })
}

// WithProgress reports the number of transferred bytes and the total. The number can decrease after an interruption.
func WithProgress(f func(done, total int64)) TransferOption {
	return forBoth(func(o *transferOptions) { o.progress = f })
}

// WithSince downloads only what was written after an earlier streamed backup, given by its ManifestSha256.
func WithSince(manifestSHA256 string) DownloadOption {
	return downloadOption(func(o *downloadOptions) { o.request.Since = manifestSHA256 })
}

// WithStore stores files in the archive without compression.
func WithStore() DownloadOption {
	return downloadOption(func(o *downloadOptions) { o.request.Store = true })
}

// WithoutResume makes a new backup instead of resuming the download of an earlier call.
func WithoutResume() DownloadOption {
	return downloadOption(func(o *downloadOptions) { o.restart = true })
}

// WithTargetTime sets the point in time to restore, in microseconds since 1970; versions written at exactly this time are
// restored. Default: the end of the backup.
func WithTargetTime(micros int64) UploadOption {
	return uploadOption(func(o *uploadOptions) { o.header.TargetTimeMicros = &micros })
}

// WithBaseSources adds archives with the segments that an incremental archive lacks, oldest first: transfer:, file:, http:
// and https: URIs.
func WithBaseSources(uris ...string) UploadOption {
	return uploadOption(func(o *uploadOptions) { o.header.BaseSources = uris })
}

// WithValidateOnly sends and verifies the archive without restoring it.
func WithValidateOnly() UploadOption {
	return uploadOption(func(o *uploadOptions) { o.header.ValidateOnly = true })
}

// forget deletes a transfer. It ignores errors, since the host deletes unused transfers itself.
func (c *Client) forget(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = c.Management.DeleteTransfer(ctx, &managementv1.DeleteTransferRequest{Name: name})
}
