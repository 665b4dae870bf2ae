package holdfast

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"

	managementv1 "holdfast.dev/clients/go/management/v1"
)

// chunkBytes is what is sent at a time.
const chunkBytes = 1 << 20

// UploadRestore sends an archive of so many bytes, which DownloadBackup or a ZIP backup made, and restores it; it returns
// when the restored index serves. A cut is gone on with where the host has got to. When the context ends while the host
// restores, that goes on. Errors are those of the archive and the restore, for example BACKUP_FOREIGN or TRANSFER_DAMAGED;
// those of r are wrapped.
func (c *Client) UploadRestore(ctx context.Context, r io.ReaderAt, size int64, opts ...UploadOption) (*managementv1.StreamRestoreResponse, error) {
	o := new(uploadOptions)
	for _, opt := range opts {
		opt.applyUpload(o)
	}
	header := &o.header
	header.SizeBytes, header.RequestId = size, rand.Text()
	named := header.TransferName != ""
	if !named {
		header.TransferName = "transfers/" + rand.Text()
	}
	u := &upload{client: c, options: o, r: r, hash: sha256.New()}
	response, err := u.run(ctx, named)
	// What failed for good under a name that nobody knows is of no use to anybody; what may still be restored is.
	useless := !named && err != nil && ctx.Err() == nil && !isTransient(err)
	if useless || (err == nil && !o.keep) {
		c.forget(ctx, header.TransferName)
	}
	return response, err
}

// UploadRestoreFile is UploadRestore of a file. The file must not change meanwhile: TRANSFER_DAMAGED where it did.
func (c *Client) UploadRestoreFile(ctx context.Context, path string, opts ...UploadOption) (*managementv1.StreamRestoreResponse, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("holdfast: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("holdfast: %w", err)
	}
	return c.UploadRestore(ctx, file, info.Size(), opts...)
}

// upload is an archive on its way, over as many streams as it takes.
type upload struct {
	client  *Client
	options *uploadOptions
	r       io.ReaderAt
	// The digest of the first so many bytes.
	hash   hash.Hash
	hashed int64
}

func (u *upload) run(ctx context.Context, begun bool) (*managementv1.StreamRestoreResponse, error) {
	retry := newRetrier(u.client.patience)
	var furthest int64
	takenOver := false
	for {
		begin, err := int64(0), error(nil)
		if begun {
			begin, err = u.committed(ctx)
		}
		if err == nil {
			if begin > furthest {
				furthest = begin
				retry.advanced()
			}
			begun = true
			var response *managementv1.StreamRestoreResponse
			if response, err = u.attempt(ctx, begin); err == nil {
				return response, nil
			}
		}
		again := isTransient(err)
		switch {
		case hasReason(err, "TRANSFER_OFFSET"):
			// A host that was killed may have less than it said before.
			again = true
		case hasReason(err, "TRANSFER_TAKEN_OVER"):
			// A stream that was cut may reach the host's disk after the one that goes on. Who takes over twice is somebody else.
			again, takenOver = !takenOver, true
		}
		if err = retry.wait(ctx, err, again); err != nil {
			return nil, err
		}
	}
}

// committed answers how many bytes the host has.
func (u *upload) committed(ctx context.Context) (int64, error) {
	transfer, err := u.client.Management.GetTransfer(ctx, &managementv1.GetTransferRequest{Name: u.options.header.TransferName})
	if hasReason(err, "TRANSFER_NOT_FOUND") {
		return 0, nil
	}
	return min(transfer.GetCommittedBytes(), u.options.header.SizeBytes), err
}

func (u *upload) attempt(ctx context.Context, begin int64) (*managementv1.StreamRestoreResponse, error) {
	// Ends the stream where it is left before its end.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := u.hashUpTo(ctx, begin); err != nil {
		return nil, err
	}
	stream, err := u.client.Management.StreamRestore(ctx)
	if err != nil {
		return nil, err
	}
	// io.EOF stands for an error that is to be received.
	if err := u.send(stream, begin); err != nil && err != io.EOF {
		return nil, err
	}
	return stream.CloseAndRecv()
}

func (u *upload) send(stream managementv1.ManagementService_StreamRestoreClient, begin int64) error {
	header := &u.options.header
	if err := stream.Send(&managementv1.StreamRestoreRequest{Message: &managementv1.StreamRestoreRequest_Header{Header: header}}); err != nil {
		return err
	}
	for position := begin; position < header.SizeBytes; {
		data, err := u.read(position)
		if err != nil {
			return err
		}
		sum := crc32.Checksum(data, castagnoli)
		chunk := &managementv1.Chunk{Offset: position, Data: data, Crc32C: &sum}
		if err := stream.Send(&managementv1.StreamRestoreRequest{Message: &managementv1.StreamRestoreRequest_Chunk{Chunk: chunk}}); err != nil {
			return err
		}
		position += int64(len(data))
		if u.options.progress != nil {
			u.options.progress(position, header.SizeBytes)
		}
	}
	trailer := &managementv1.TransferTrailer{SizeBytes: header.SizeBytes, Sha256: hex.EncodeToString(u.hash.Sum(nil))}
	return stream.Send(&managementv1.StreamRestoreRequest{Message: &managementv1.StreamRestoreRequest_Trailer{Trailer: trailer}})
}

// read answers a chunk. What comes next for the digest goes into it, so that most archives are read once.
func (u *upload) read(position int64) ([]byte, error) {
	// A new one for each: gRPC may look at it after it was sent.
	data := make([]byte, min(chunkBytes, u.options.header.SizeBytes-position))
	if n, err := u.r.ReadAt(data, position); n < len(data) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("holdfast: reading the archive at %d: %w", position+int64(n), err)
	}
	if known := u.hashed - position; known >= 0 && known < int64(len(data)) {
		u.hash.Write(data[known:])
		u.hashed = position + int64(len(data))
	}
	return data, nil
}

// hashUpTo reads what an earlier call has sent. Before the stream is opened: the host ends one on which nothing comes.
func (u *upload) hashUpTo(ctx context.Context, position int64) error {
	for u.hashed < position {
		if ctx.Err() != nil {
			return errorOfContext(ctx)
		}
		if _, err := u.read(u.hashed); err != nil {
			return err
		}
	}
	return nil
}
