package holdfast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	managementv1 "holdfast.dev/clients/go/management/v1"
)

// DownloadBackupFile makes a backup and downloads it to a file that only its owner can read. The file appears at path,
// and replaces an existing file, once it is synced and its size and SHA-256 match those of the host. An interrupted
// stream is resumed. If the call itself is interrupted, the next call with the same path and options resumes from
// path.partial and path.partial.json while the host keeps the archive. The results are those of [Client.DownloadBackup].
// Do not run two calls for one path at a time.
func (c *Client) DownloadBackupFile(ctx context.Context, path string, opts ...DownloadOption) (*managementv1.Transfer, error) {
	transfer, err := c.downloadFile(ctx, path, newDownloadOptions(opts))
	if _, ok := errors.AsType[*Error](err); err != nil && !ok {
		err = fmt.Errorf("holdfast: downloading a backup: %w", err)
	}
	return transfer, err
}

func (c *Client) downloadFile(ctx context.Context, path string, o *downloadOptions) (*managementv1.Transfer, error) {
	partial := path + ".partial"
	state := stateFile{path: partial + ".json", options: o}
	// The file contains all documents: readable only by its owner.
	file, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	d := newDownload(c, o, file)
	d.begun = state.write
	d.rewind = func() error {
		_, err := file.Seek(0, io.SeekStart)
		return errors.Join(file.Truncate(0), err)
	}
	if name := state.transfer(); name != "" {
		d.transfer = name
		if d.position, err = io.Copy(d.hash, contextReader{ctx, file}); err != nil {
			return nil, err
		}
		d.inherited = d.position > 0
	} else if err := d.rewind(); err != nil {
		return nil, err
	}
	transfer, err := d.run(ctx)
	if errors.Is(err, errDigest) {
		// Damaged bytes cannot be resumed.
		return nil, errors.Join(err, os.Remove(partial), os.Remove(state.path))
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(partial, path); err != nil {
		return nil, err
	}
	if err := errors.Join(syncDirectory(filepath.Dir(path)), os.Remove(state.path)); err != nil {
		return nil, err
	}
	d.forget(ctx)
	return transfer, nil
}

// stateFile stores the transfer of an interrupted download and the options of its request.
type stateFile struct {
	path    string
	options *downloadOptions
}

type downloadState struct {
	Transfer  string `json:"transfer"`
	IndexLink string `json:"indexLink,omitempty"`
	Since     string `json:"since,omitempty"`
	Store     bool   `json:"store,omitempty"`
}

func (s stateFile) of(transfer string) downloadState {
	r := &s.options.request
	return downloadState{Transfer: transfer, IndexLink: r.IndexLink, Since: r.Since, Store: r.Store}
}

// transfer returns the transfer of an earlier call; empty if there was none or its request differs.
func (s stateFile) transfer() string {
	var left downloadState
	text, err := os.ReadFile(s.path)
	if err != nil || s.options.restart || json.Unmarshal(text, &left) != nil || left != s.of(left.Transfer) {
		return ""
	}
	if named := s.options.request.TransferName; named != "" && named != left.Transfer {
		return ""
	}
	return left.Transfer
}

// write replaces the file atomically.
func (s stateFile) write(transfer string) error {
	text, err := json.Marshal(s.of(transfer))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".tmp", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".tmp", s.path)
}

// syncDirectory makes a rename in the directory durable.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// contextReader returns the error of the context once it is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, errorOfContext(c.ctx)
	}
	return c.r.Read(p)
}
