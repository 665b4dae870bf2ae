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

// chunkBytes is the size of a chunk.
const chunkBytes = 1 << 20

// UploadRestore sends an archive made by DownloadBackup or a ZIP backup, and restores it. It returns when the restored
// index is live. An interrupted stream resumes from the bytes that the host has. If the context ends during the restore,
// the restore continues. Errors are those of the archive and the restore, for example BACKUP_FOREIGN or TRANSFER_DAMAGED;
// errors of r are wrapped.
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
	// A failed upload with a random name cannot be resumed; one with a transient failure may still be restored.
	useless := !named && err != nil && ctx.Err() == nil && !isTransient(err)
	if useless || (err == nil && !o.keep) {
		c.forget(ctx, header.TransferName)
	}
	return response, err
}

// UploadRestoreFile is UploadRestore for a file. TRANSFER_DAMAGED if the file changes during the upload.
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

// upload sends one archive over one or more streams.
type upload struct {
	client  *Client
	options *uploadOptions
	r       io.ReaderAt
	// Digest of the first hashed bytes.
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
			// A host that was killed may have fewer bytes than it reported.
			again = true
		case hasReason(err, "TRANSFER_TAKEN_OVER"):
			// Bytes of an interrupted stream may be written after the resumed stream has started. A second time it is another
			// client.
			again, takenOver = !takenOver, true
		}
		if err = retry.wait(ctx, err, again); err != nil {
			return nil, err
		}
	}
}

// committed returns the number of bytes that the host has.
func (u *upload) committed(ctx context.Context) (int64, error) {
	transfer, err := u.client.Management.GetTransfer(ctx, &managementv1.GetTransferRequest{Name: u.options.header.TransferName})
	if hasReason(err, "TRANSFER_NOT_FOUND") {
		return 0, nil
	}
	return min(transfer.GetCommittedBytes(), u.options.header.SizeBytes), err
}

func (u *upload) attempt(ctx context.Context, begin int64) (*managementv1.StreamRestoreResponse, error) {
	// Ends the stream on an early return.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := u.hashUpTo(ctx, begin); err != nil {
		return nil, err
	}
	stream, err := u.client.Management.StreamRestore(ctx)
	if err != nil {
		return nil, err
	}
	// io.EOF means that CloseAndRecv returns the actual error.
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

// read returns a chunk, and adds its new bytes to the digest, so that most archives are read once.
func (u *upload) read(position int64) ([]byte, error) {
	// A new buffer per chunk: gRPC may use it after Send returns.
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

// hashUpTo hashes the bytes that an earlier stream sent. It runs before the stream is opened, since the host ends idle
// streams.
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
