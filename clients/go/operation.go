package holdfast

import (
	"context"
	"crypto/rand"
	"io"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	managementv1 "holdfast.dev/clients/go/management/v1"
)

// WaitOption configures the wait for an operation.
type WaitOption interface{ applyWait(*waitOptions) }

type waitOptions struct {
	progress func(*managementv1.OperationMetadata)
}

type waitOption func(*waitOptions)

func (f waitOption) applyWait(o *waitOptions) { f(o) }

// WithOperationProgress reports the progress of an operation whenever it changes, at most ten times per second.
func WithOperationProgress(f func(*managementv1.OperationMetadata)) WaitOption {
	return waitOption(func(o *waitOptions) { o.progress = f })
}

// Backup starts a backup and waits until it completes. If the context ends, the backup continues. A request without a
// request ID gets one, so that a retry after a broken connection does not start a second backup. Errors are those of the
// backup, for example DESTINATION_MISSING.
func (c *Client) Backup(ctx context.Context, request *managementv1.BackupRequest, opts ...WaitOption) (*managementv1.BackupResult, error) {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = rand.Text()
	}
	return finish(ctx, c, new(managementv1.BackupResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.Backup(ctx, request)
	})
}

// Restore starts a restore and waits until the restored index is live. If the context ends, the restore continues. A
// request without a request ID gets one. Errors are those of the restore, for example TARGET_TIME_OUT_OF_RANGE.
func (c *Client) Restore(ctx context.Context, request *managementv1.RestoreRequest, opts ...WaitOption) (*managementv1.RestoreResult, error) {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = rand.Text()
	}
	return finish(ctx, c, new(managementv1.RestoreResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.Restore(ctx, request)
	})
}

// VerifyBackup verifies a backup at the requested level, by default completely, and waits for the result. BACKUP_DAMAGED
// if the backup is damaged.
func (c *Client) VerifyBackup(ctx context.Context, request *managementv1.VerifyBackupRequest, opts ...WaitOption) (*managementv1.VerifyResult, error) {
	return finish(ctx, c, new(managementv1.VerifyResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.VerifyBackup(ctx, request)
	})
}

// CopyBackup copies a backup to another destination and waits until the copy is verified. If the context ends, the copy
// continues. A request without a request ID gets one. Errors are those of the copy, for example BACKUP_DAMAGED.
func (c *Client) CopyBackup(ctx context.Context, request *managementv1.CopyBackupRequest, opts ...WaitOption) (*managementv1.CopyBackupResult, error) {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = rand.Text()
	}
	return finish(ctx, c, new(managementv1.CopyBackupResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.CopyBackup(ctx, request)
	})
}

// OpenBackup opens a backup, or a point in time of an index, as a read-only index beside the live one and waits until it
// can be read. If the context ends, the operation continues. A request without a request ID gets one. Close it with
// Management.CloseBackup.
func (c *Client) OpenBackup(ctx context.Context, request *managementv1.OpenBackupRequest, opts ...WaitOption) (*managementv1.OpenedIndex, error) {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = rand.Text()
	}
	return finish(ctx, c, new(managementv1.OpenedIndex), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.OpenBackup(ctx, request)
	})
}

// CheckIndex checks a live index while it is in use and waits for the result. INDEX_DAMAGED if the index is damaged.
func (c *Client) CheckIndex(ctx context.Context, request *managementv1.CheckIndexRequest, opts ...WaitOption) (*managementv1.CheckIndexResult, error) {
	return finish(ctx, c, new(managementv1.CheckIndexResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.CheckIndex(ctx, request)
	})
}

// WaitForOperation waits until an operation, operations/ID, is done and returns it; GetResponse has its result. If the
// context ends, the operation continues. A failed operation returns an [*Error] with its reason, an unknown or expired one
// OPERATION_NOT_FOUND. A broken connection is re-established.
func (c *Client) WaitForOperation(ctx context.Context, name string, opts ...WaitOption) (*longrunningpb.Operation, error) {
	var o waitOptions
	for _, opt := range opts {
		opt.applyWait(&o)
	}
	var last *longrunningpb.Operation
	retry := newRetrier(c.patience)
	err := retry.do(ctx, func() error {
		stream, err := c.Management.WatchOperation(ctx, &managementv1.WatchOperationRequest{Name: name})
		if err != nil {
			return err
		}
		for {
			operation, err := stream.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			last = operation
			retry.advanced()
			if o.progress != nil {
				metadata := new(managementv1.OperationMetadata)
				if err := operation.GetMetadata().UnmarshalTo(metadata); err == nil {
					o.progress(metadata)
				}
			}
		}
		if !last.GetDone() {
			return newError(codes.Unavailable, "the stream of %s ended before the operation did", name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Not retried: the failure of the operation is final, whatever its code.
	if failure := last.GetError(); failure != nil {
		return nil, errorOfStatus(status.FromProto(failure), nil)
	}
	return last, nil
}

func finish[T proto.Message](ctx context.Context, c *Client, result T, opts []WaitOption, start func() (*longrunningpb.Operation, error)) (T, error) {
	var none T
	var operation *longrunningpb.Operation
	err := newRetrier(c.patience).do(ctx, func() (err error) {
		operation, err = start()
		return err
	})
	if err != nil {
		return none, err
	}
	if operation, err = c.WaitForOperation(ctx, operation.GetName(), opts...); err != nil {
		return none, err
	}
	if err := operation.GetResponse().UnmarshalTo(result); err != nil {
		return none, newError(codes.Internal, "%s has an unexpected response: %v", operation.GetName(), err)
	}
	return result, nil
}
