package holdfast

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is the error of a failed call or operation. Find it with errors.As. Programs must use Reason or Code, never
// Message. If the context ended the call, errors.Is also matches context.Canceled or context.DeadlineExceeded.
type Error struct {
	// Code is the canonical code.
	Code codes.Code
	// Reason is stable, for example DOCUMENT_NOT_FOUND; docs/errors.md of the host lists all reasons. Empty if the error
	// is not from the host, for example if the host is unreachable.
	Reason string
	// Message is text for people: what failed, where, and what to do next.
	Message string
	// Metadata has details for programs.
	Metadata map[string]string

	status *status.Status
	cause  error
}

// Error returns the code, the reason and the message.
func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("holdfast: %s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("holdfast: %s %s: %s", e.Code, e.Reason, e.Message)
}

// Unwrap returns the cause: the error of the context or of gRPC, or nil.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus returns the status with its details, for status.FromError.
func (e *Error) GRPCStatus() *status.Status {
	if e.status == nil {
		return status.New(e.Code, e.Message)
	}
	return e.status
}

func newError(code codes.Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func errorOfStatus(s *status.Status, cause error) *Error {
	e := &Error{Code: s.Code(), Message: s.Message(), status: s, cause: cause}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			e.Reason, e.Metadata = info.GetReason(), info.GetMetadata()
		}
	}
	return e
}

// errorOfCall converts an error of gRPC to an Error; io.EOF, the end of a stream, is returned unchanged.
func errorOfCall(ctx context.Context, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	e := errorOfStatus(s, err)
	switch {
	case e.Reason == "DEADLINE":
		// The deadline may pass on the host before it passes here.
		e.cause = context.DeadlineExceeded
	case ctx.Err() != nil && (e.Code == codes.Canceled || e.Code == codes.DeadlineExceeded):
		e.cause = ctx.Err()
	}
	return e
}

func errorOfContext(ctx context.Context) error {
	return errorOfCall(ctx, status.FromContextError(ctx.Err()).Err())
}

func unaryErrors(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return errorOfCall(ctx, invoke(ctx, method, req, reply, cc, opts...))
}

func streamErrors(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, errorOfCall(ctx, err)
	}
	return errorStream{stream}, nil
}

type errorStream struct{ grpc.ClientStream }

func (s errorStream) SendMsg(m any) error { return errorOfCall(s.Context(), s.ClientStream.SendMsg(m)) }
func (s errorStream) RecvMsg(m any) error { return errorOfCall(s.Context(), s.ClientStream.RecvMsg(m)) }

// hasReason reports whether the error has one of these reasons.
func hasReason(err error, reasons ...string) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	for _, reason := range reasons {
		if e.Reason == reason {
			return true
		}
	}
	return false
}

// isTransient reports whether a retry may succeed soon: the connection broke, or the host is busy, stopping or starting.
// Failures that the host itself retried, of a disk or a server, are not transient.
func isTransient(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Reason {
	case "QUEUE_FULL", "INDEX_RESTORING", "INDEX_CLOSED", "SHUTTING_DOWN", "STREAM_IDLE":
		return true
	case "":
		switch e.Code {
		// Canceled by the host: callers check their own context first.
		case codes.Unavailable, codes.Unknown, codes.Internal, codes.DeadlineExceeded, codes.Canceled:
			return true
		}
	}
	return false
}
