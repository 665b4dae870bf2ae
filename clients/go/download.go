package holdfast

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	managementv1 "holdfast.dev/clients/go/management/v1"
)

// DownloadBackup makes a backup and writes it to w as a ZIP archive. An interrupted stream is resumed. The returned
// transfer has the verified size and SHA-256, and the description of the backup, whose ManifestSha256 is the value for
// [WithSince]. After an error the written bytes are not a usable backup: DATA_LOSS if they differ from what the host
// sent, TRANSFER_NOT_FOUND if the host lost the archive during the download. Errors of w are wrapped.
func (c *Client) DownloadBackup(ctx context.Context, w io.Writer, opts ...DownloadOption) (*managementv1.Transfer, error) {
	d := newDownload(c, newDownloadOptions(opts), w)
	transfer, err := d.run(ctx)
	if err != nil {
		return nil, err
	}
	d.forget(ctx)
	return transfer, nil
}

func newDownloadOptions(opts []DownloadOption) *downloadOptions {
	o := new(downloadOptions)
	for _, opt := range opts {
		opt.applyDownload(o)
	}
	return o
}

// download receives one archive over one or more streams.
type download struct {
	client  *Client
	options *downloadOptions
	w       io.Writer
	// Name of the transfer to resume; empty before the first stream.
	transfer string
	position int64
	hash     hash.Hash
	// Called with the name of the transfer before the first byte is written.
	begun func(transfer string) error
	// Discards all written bytes; nil if w cannot be rewound.
	rewind func() error
	// Whether an earlier call wrote some of the bytes, which a power failure may have changed.
	inherited bool
}

func newDownload(c *Client, o *downloadOptions, w io.Writer) *download {
	return &download{client: c, options: o, w: w, transfer: o.request.TransferName, hash: sha256.New(), begun: func(string) error { return nil }}
}

func (d *download) run(ctx context.Context) (*managementv1.Transfer, error) {
	retry := newRetrier(d.client.patience)
	for {
		transfer, err := d.attempt(ctx, retry)
		if err == nil {
			return transfer, nil
		}
		again, rewound := d.makeReady(err)
		if rewound != nil {
			return nil, rewound
		}
		if err = retry.wait(ctx, err, again); err != nil {
			return nil, err
		}
	}
}

// makeReady prepares another attempt after err. It returns whether to retry.
func (d *download) makeReady(err error) (again bool, _ error) {
	switch {
	case hasReason(err, "TRANSFER_NOT_FOUND", "RANGE_NOT_SATISFIABLE"):
		// The host no longer has the transfer. Unless the caller named it, start over with a new backup.
		if d.options.request.TransferName != "" || d.transfer == "" {
			return false, nil
		}
		d.transfer = ""
		return d.restart()
	case errors.Is(err, errDigest) && d.inherited:
		// A power failure may keep the length of a file but not its bytes.
		return d.restart()
	}
	return isTransient(err), nil
}

// restart discards the written bytes. It returns false if that is not possible.
func (d *download) restart() (bool, error) {
	if d.position > 0 {
		if d.rewind == nil {
			return false, nil
		}
		if err := d.rewind(); err != nil {
			return false, err
		}
	}
	d.position, d.inherited = 0, false
	d.hash.Reset()
	return true, nil
}

func (d *download) request() *managementv1.StreamBackupRequest {
	if d.transfer == "" {
		return proto.CloneOf(&d.options.request)
	}
	return &managementv1.StreamBackupRequest{TransferName: d.transfer, Offset: d.position}
}

func (d *download) attempt(ctx context.Context, retry *retrier) (*managementv1.Transfer, error) {
	// Ends the stream on an early return.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.client.Management.StreamBackup(ctx, d.request())
	if err != nil {
		return nil, err
	}
	var transfer *managementv1.Transfer
	for {
		response, err := stream.Recv()
		if err == io.EOF {
			return nil, newError(codes.Unavailable, "the stream of the backup ended without its trailer")
		}
		if err != nil {
			return nil, err
		}
		switch {
		case response.GetHeader() != nil:
			transfer = response.GetHeader().GetTransfer()
			d.transfer = transfer.GetName()
			if err := d.begun(d.transfer); err != nil {
				return nil, err
			}
		case response.GetChunk() != nil:
			if err := d.take(response.GetChunk()); err != nil {
				return nil, err
			}
			retry.advanced()
			if d.options.progress != nil {
				d.options.progress(d.position, transfer.GetSizeBytes())
			}
		case response.GetTrailer() != nil:
			if transfer == nil {
				return nil, newError(codes.Internal, "the stream of the backup has no header")
			}
			return transfer, d.check(response.GetTrailer())
		}
	}
}

func (d *download) take(chunk *managementv1.Chunk) error {
	if chunk.Offset != d.position {
		return newError(codes.DataLoss, "expected a chunk at offset %d, received one at %d", d.position, chunk.Offset)
	}
	if chunk.Crc32C != nil && crc32.Checksum(chunk.Data, castagnoli) != *chunk.Crc32C {
		return newError(codes.Unavailable, "the checksum of the chunk at offset %d does not match", chunk.Offset)
	}
	n, err := d.w.Write(chunk.Data)
	d.hash.Write(chunk.Data[:n])
	d.position += int64(n)
	if err == nil && n < len(chunk.Data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("holdfast: writing the backup: %w", err)
	}
	return nil
}

// errDigest is the cause of an error whose bytes differ from what the host sent.
var errDigest = errors.New("size or SHA-256 differ")

func (d *download) check(trailer *managementv1.TransferTrailer) error {
	actual := hex.EncodeToString(d.hash.Sum(nil))
	if d.position == trailer.SizeBytes && actual == trailer.Sha256 {
		return nil
	}
	e := newError(codes.DataLoss, "the received archive differs from what the host sent: %d bytes with SHA-256 %s, expected %d with %s", d.position, actual, trailer.SizeBytes, trailer.Sha256)
	e.cause = errDigest
	return e
}

func (d *download) forget(ctx context.Context) {
	if !d.options.keep && d.options.request.TransferName == "" {
		d.client.forget(ctx, d.transfer)
	}
}
