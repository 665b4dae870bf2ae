package holdfast

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"google.golang.org/grpc/codes"

	documentv1 "holdfast.dev/clients/go/document/v1"
)

// ImportOption configures an import.
type ImportOption interface{ applyImport(*importOptions) }

type importOptions struct {
	skip     int64
	progress func(*documentv1.ImportDocumentsResponse)
}

type importOption func(*importOptions)

func (f importOption) applyImport(o *importOptions) { f(o) }

// WithSkip skips documents at the start, because an earlier import wrote them. Default: 0.
func WithSkip(documents int64) ImportOption {
	return importOption(func(o *importOptions) { o.skip = documents })
}

// WithImportProgress reports about once per second how many documents are durable. Another goroutine calls f.
func WithImportProgress(f func(*documentv1.ImportDocumentsResponse)) ImportOption {
	return importOption(func(o *importOptions) { o.progress = f })
}

// ExportOption configures an export.
type ExportOption interface {
	applyExport(*documentv1.ExportDocumentsRequest)
}

type exportOption func(*documentv1.ExportDocumentsRequest)

func (f exportOption) applyExport(r *documentv1.ExportDocumentsRequest) { f(r) }

// WithFilter exports only documents that match an OData filter expression, for example: name eq 'one'
func WithFilter(condition string) ExportOption {
	return exportOption(func(r *documentv1.ExportDocumentsRequest) { r.Filter = condition })
}

// JSONDocuments encodes values as JSON documents. Each value must encode to an object with a documentSelfLink.
func JSONDocuments[T any](values iter.Seq[T]) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for value := range values {
			if text, err := json.Marshal(value); !yield(text, err) || err != nil {
				return
			}
		}
	}
}

// ImportDocuments writes documents of a factory, for example /core/examples, in order. Documents are JSON objects of at
// most 16 MiB with their documentSelfLink. An interrupted import is not resumed automatically, since the documents may
// be readable only once: the response that is returned with the error has the number of durable documents, for
// [WithSkip]. If a document cannot be written, the error metadata "documents" has the number written before it. An
// error in documents ends the import.
func (c *Client) ImportDocuments(ctx context.Context, factoryLink string, documents iter.Seq2[[]byte, error], opts ...ImportOption) (*documentv1.ImportDocumentsResponse, error) {
	var o importOptions
	for _, opt := range opts {
		opt.applyImport(&o)
	}
	last := &documentv1.ImportDocumentsResponse{Documents: o.skip}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Documents.ImportDocuments(ctx)
	if err != nil {
		return last, err
	}
	received := make(chan error, 1)
	go func() {
		for {
			progress, err := stream.Recv()
			if err != nil {
				received <- err
				return
			}
			last = progress
			if o.progress != nil {
				o.progress(progress)
			}
		}
	}()
	sent := sendDocuments(stream, &documentv1.ImportDocumentsHeader{FactoryLink: factoryLink, Skip: o.skip}, documents)
	// io.EOF means that Recv returns the actual error.
	if sent != nil && sent != io.EOF {
		cancel()
		<-received
		return last, sent
	}
	if err := <-received; err != io.EOF {
		return last, err
	}
	if !last.Done {
		return last, newError(codes.Unavailable, "the import was interrupted; %d documents are written", last.Documents)
	}
	return last, nil
}

func sendDocuments(stream documentv1.DocumentService_ImportDocumentsClient, header *documentv1.ImportDocumentsHeader, documents iter.Seq2[[]byte, error]) error {
	if err := stream.Send(&documentv1.ImportDocumentsRequest{Message: &documentv1.ImportDocumentsRequest_Header{Header: header}}); err != nil {
		return err
	}
	for document, err := range documents {
		if err != nil {
			return fmt.Errorf("holdfast: cannot read a document to import: %w", err)
		}
		if err := stream.Send(&documentv1.ImportDocumentsRequest{Message: &documentv1.ImportDocumentsRequest_Document{Document: document}}); err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

// ExportDocuments yields all documents of a factory as of one point in time, with JSON bodies. An interrupted stream
// resumes at the same point in time. The iteration ends after an error.
func (c *Client) ExportDocuments(ctx context.Context, factoryLink string, opts ...ExportOption) iter.Seq2[*documentv1.Document, error] {
	return func(yield func(*documentv1.Document, error) bool) {
		request := &documentv1.ExportDocumentsRequest{FactoryLink: factoryLink, BodyFormat: documentv1.BodyFormat_BODY_FORMAT_JSON}
		for _, opt := range opts {
			opt.applyExport(request)
		}
		// Ends the stream if the caller leaves the loop.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		retry := newRetrier(c.patience)
		for {
			done, err := c.exportPages(ctx, request, retry, yield)
			if done {
				return
			}
			if err = retry.wait(ctx, err, isTransient(err)); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// exportPages yields documents until the export is complete or the caller leaves the loop (done), or the stream fails;
// the request then has the token to resume from.
func (c *Client) exportPages(ctx context.Context, request *documentv1.ExportDocumentsRequest, retry *retrier, yield func(*documentv1.Document, error) bool) (done bool, err error) {
	stream, err := c.Documents.ExportDocuments(ctx, request)
	if err != nil {
		return false, err
	}
	for {
		page, err := stream.Recv()
		if err == io.EOF {
			err = newError(codes.Unavailable, "the stream ended before the last page")
		}
		if err != nil {
			return false, err
		}
		retry.advanced()
		for _, document := range page.Documents {
			if !yield(document, nil) {
				return true, nil
			}
		}
		request.ResumeToken = page.ResumeToken
		if request.ResumeToken == "" {
			return true, nil
		}
	}
}
