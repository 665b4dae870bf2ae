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

// DownloadBackup takes a backup and writes it to w as one archive, a ZIP. A cut is gone on with. It answers the size and
// SHA-256, which agree with what was written, and what is in the backup; its ManifestSha256 is what [WithSince] takes. Where
// it fails, what was written is not a backup: DATA_LOSS where it is not what the host sent, TRANSFER_NOT_FOUND where the
// host has lost the archive after a part of it came. The errors of w are wrapped.
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

// download is an archive on its way, over as many streams as it takes.
type download struct {
	client  *Client
	options *downloadOptions
	w       io.Writer
	// The transfer to go on with; empty: none was begun.
	transfer string
	position int64
	hash     hash.Hash
	// Told the name of the transfer before its first byte is taken.
	begun func(transfer string) error
	// Takes back all that was written; nil: that cannot be done.
	rewind func() error
	// Whether some of the bytes are of an earlier call, and so may not be what they were.
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

// makeReady prepares another attempt after err, and tells whether there is to be one.
func (d *download) makeReady(err error) (again bool, _ error) {
	switch {
	case hasReason(err, "TRANSFER_NOT_FOUND", "RANGE_NOT_SATISFIABLE"):
		// Its name was made up by the host, which has it no more: a new backup is taken, and nothing of the old one is kept.
		if d.options.request.TransferName != "" || d.transfer == "" {
			return false, nil
		}
		d.transfer = ""
		return d.restart()
	case errors.Is(err, errDigest) && d.inherited:
		// A machine that lost its power may have kept a file's length and not its bytes.
		return d.restart()
	}
	return isTransient(err), nil
}

// restart takes back what was written; it answers false where that cannot be done.
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
	// Ends the stream where it is left before its end.
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
		return newError(codes.DataLoss, "a chunk at %d came in place of one at %d", chunk.Offset, d.position)
	}
	if chunk.Crc32C != nil && crc32.Checksum(chunk.Data, castagnoli) != *chunk.Crc32C {
		return newError(codes.Unavailable, "the chunk at %d was damaged on its way", chunk.Offset)
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

// errDigest marks that what arrived is not what the host sent.
var errDigest = errors.New("size or SHA-256 differ")

func (d *download) check(trailer *managementv1.TransferTrailer) error {
	actual := hex.EncodeToString(d.hash.Sum(nil))
	if d.position == trailer.SizeBytes && actual == trailer.Sha256 {
		return nil
	}
	e := newError(codes.DataLoss, "what arrived is not what the host sent: %d bytes with SHA-256 %s in place of %d with %s", d.position, actual, trailer.SizeBytes, trailer.Sha256)
	e.cause = errDigest
	return e
}

func (d *download) forget(ctx context.Context) {
	if !d.options.keep && d.options.request.TransferName == "" {
		d.client.forget(ctx, d.transfer)
	}
}
