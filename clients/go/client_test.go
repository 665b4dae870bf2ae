package holdfast_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	holdfast "holdfast.dev/clients/go"
	documentv1 "holdfast.dev/clients/go/document/v1"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

func TestTokens(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("sesame read,write,backup,restore\nreader read\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := startHost(t, "--token-file", tokens)
	for _, c := range []struct {
		opts   []holdfast.Option
		code   codes.Code
		reason string
	}{
		{nil, codes.Unauthenticated, "TOKEN_MISSING"},
		{[]holdfast.Option{holdfast.WithToken("other")}, codes.Unauthenticated, "TOKEN_UNKNOWN"},
		{[]holdfast.Option{holdfast.WithToken("reader")}, codes.PermissionDenied, "ROLE_MISSING"},
	} {
		// A unary call and a stream.
		client := dial(t, h.address, c.opts...)
		_, unary := client.Backup(testContext(t), &managementv1.BackupRequest{Destination: "transfer:"})
		_, stream := client.DownloadBackupFile(testContext(t), filepath.Join(t.TempDir(), "backup.zip"))
		for _, err := range []error{unary, stream} {
			e, ok := errors.AsType[*holdfast.Error](err)
			if !ok || e.Reason != c.reason || e.Code != c.code || status.Code(err) != c.code {
				t.Errorf("got %v, want %s", err, c.reason)
			}
		}
	}
	client := dial(t, h.address, holdfast.WithToken("sesame"))
	if _, err := client.Backup(testContext(t), &managementv1.BackupRequest{Destination: "transfer:"}); err != nil {
		t.Error(err)
	}
}

func TestErrorOfAFailedOperation(t *testing.T) {
	client := dial(t, startHost(t).address)
	ctx := testContext(t)
	// An archive without its segments fails only while it is read.
	fill(t, client, 3, 100)
	whole, err := client.DownloadBackupFile(ctx, filepath.Join(t.TempDir(), "whole.zip"))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, client, 5, 100)
	delta := filepath.Join(t.TempDir(), "delta.zip")
	if _, err := client.DownloadBackupFile(ctx, delta, holdfast.WithSince(whole.Backup.ManifestSha256)); err != nil {
		t.Fatal(err)
	}
	_, err = client.Restore(ctx, &managementv1.RestoreRequest{Source: "file:" + delta})
	e, ok := errors.AsType[*holdfast.Error](err)
	if !ok || e.Code != codes.DataLoss || e.Reason != "BACKUP_DAMAGED" {
		t.Error(err)
	}
	if _, err = client.WaitForOperation(ctx, "operations/none"); reasonOf(err) != "OPERATION_NOT_FOUND" {
		t.Error(err)
	}
}

func TestErrorsOfEndedContexts(t *testing.T) {
	client := dial(t, startHost(t).address)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Management.GetHost(ctx, &managementv1.GetHostRequest{})
	_, downloaded := client.DownloadBackupFile(ctx, filepath.Join(t.TempDir(), "backup.zip"))
	for _, err := range []error{err, downloaded} {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestExportResumesAfterAnInterruption(t *testing.T) {
	h := startHost(t)
	fill(t, dial(t, h.address), 2500, 4000)
	p := startProxy(t, h.address)
	p.cutAfter(toClient, 6<<20)
	client := dial(t, p.address)
	seen := map[string]bool{}
	for document, err := range client.ExportDocuments(testContext(t), "/core/examples") {
		if err != nil {
			t.Fatal(err)
		}
		if seen[document.SelfLink] || len(document.GetJson()) < 4000 {
			t.Errorf("%s is repeated or has no body", document.SelfLink)
		}
		seen[document.SelfLink] = true
	}
	if len(seen) != 2500 || p.cutCount() != 1 {
		t.Error(len(seen), p.cutCount())
	}
	for range client.ExportDocuments(testContext(t), "/core/examples") {
		break
	}
}

func TestImportReportsDurableDocuments(t *testing.T) {
	client := dial(t, startHost(t).address)
	ctx := testContext(t)
	documents := func(texts ...string) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for _, text := range texts {
				if !yield([]byte(text), nil) {
					return
				}
			}
		}
	}
	_, err := client.ImportDocuments(ctx, "/core/examples", documents(`{"documentSelfLink":"a","name":"a"}`, `{"documentSelfLink":"b","name":"b"}`, `no JSON`))
	e, ok := errors.AsType[*holdfast.Error](err)
	if !ok || e.Reason != "JSON_INVALID" || e.Metadata["documents"] != "2" {
		t.Error(err)
	}
	heard := false
	result, err := client.ImportDocuments(ctx, "/core/examples", documents(`{"documentSelfLink":"a","name":"a"}`, `{"documentSelfLink":"b","name":"b"}`, `{"documentSelfLink":"c","name":"c"}`),
		holdfast.WithSkip(2), holdfast.WithImportProgress(func(p *documentv1.ImportDocumentsResponse) { heard = p.Done }))
	if err != nil || result.Documents != 3 || result.Created != 1 || !heard {
		t.Error(result, err)
	}
	broken := errors.New("the file ended")
	_, err = client.ImportDocuments(ctx, "/core/examples", func(yield func([]byte, error) bool) { yield(nil, broken) })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}
