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

// WaitOption sets how an operation is waited for.
type WaitOption interface{ applyWait(*waitOptions) }

type waitOptions struct {
	progress func(*managementv1.OperationMetadata)
}

type waitOption func(*waitOptions)

func (f waitOption) applyWait(o *waitOptions) { f(o) }

// WithOperationProgress hears how far an operation is, each time that has changed and at most ten times a second.
func WithOperationProgress(f func(*managementv1.OperationMetadata)) WaitOption {
	return waitOption(func(o *waitOptions) { o.progress = f })
}

// Backup starts a backup and waits for its end. When the context ends, the work goes on. A request without a request id is
// given one, so that it begins once even where the connection breaks. Errors are those of the backup, for example
// DESTINATION_MISSING.
func (c *Client) Backup(ctx context.Context, request *managementv1.BackupRequest, opts ...WaitOption) (*managementv1.BackupResult, error) {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = rand.Text()
	}
	return finish(ctx, c, new(managementv1.BackupResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.Backup(ctx, request)
	})
}

// Restore starts a restore and waits for its end: then the restored index serves. When the context ends, the work goes on.
// A request without a request id is given one. Errors are those of the restore, for example TARGET_TIME_OUT_OF_RANGE.
func (c *Client) Restore(ctx context.Context, request *managementv1.RestoreRequest, opts ...WaitOption) (*managementv1.RestoreResult, error) {
	request = proto.CloneOf(request)
	if request.RequestId == "" {
		request.RequestId = rand.Text()
	}
	return finish(ctx, c, new(managementv1.RestoreResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.Restore(ctx, request)
	})
}

// VerifyBackup reads a backup whole and waits for the end of that. BACKUP_DAMAGED where it is not as it was written.
func (c *Client) VerifyBackup(ctx context.Context, request *managementv1.VerifyBackupRequest, opts ...WaitOption) (*managementv1.VerifyResult, error) {
	return finish(ctx, c, new(managementv1.VerifyResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.VerifyBackup(ctx, request)
	})
}

// CheckIndex checks a live index while it serves and waits for the end of that. INDEX_DAMAGED where something is wrong with it.
func (c *Client) CheckIndex(ctx context.Context, request *managementv1.CheckIndexRequest, opts ...WaitOption) (*managementv1.CheckIndexResult, error) {
	return finish(ctx, c, new(managementv1.CheckIndexResult), opts, func() (*longrunningpb.Operation, error) {
		return c.Management.CheckIndex(ctx, request)
	})
}

// WaitForOperation follows an operation, operations/ID, to its end and answers it; its response is in GetResponse. When the
// context ends, the work goes on. An operation that failed is an [*Error] with its reason; one that nobody remembers is
// OPERATION_NOT_FOUND. A connection that breaks is made again.
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
	// Outside of what is tried again: the operation's own failure is final, whatever its code.
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
		return none, newError(codes.Internal, "%s answered something else: %v", operation.GetName(), err)
	}
	return result, nil
}
