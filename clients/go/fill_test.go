package holdfast_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"testing"

	holdfast "holdfast.dev/clients/go"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

// fill writes incompressible documents, so that their archive has several chunks.
func fill(t *testing.T, client *holdfast.Client, documents, bytes int) {
	t.Helper()
	result, err := client.ImportDocuments(testContext(t), "/core/examples", holdfast.JSONDocuments(func(yield func(map[string]any) bool) {
		noise := make([]byte, bytes*3/4)
		for n := range documents {
			_, _ = rand.Read(noise)
			if !yield(map[string]any{"documentSelfLink": fmt.Sprintf("filled-%d", n), "name": base64.StdEncoding.EncodeToString(noise)}) {
				return
			}
		}
	}))
	if err != nil || result.Documents != int64(documents) {
		t.Fatal(result, err)
	}
}

// filled returns a host with 8 MiB of documents, and a client.
func filled(t *testing.T) (*host, *holdfast.Client) {
	t.Helper()
	h := startHost(t)
	client := dial(t, h.address)
	fill(t, client, 128, 64<<10)
	return h, client
}

func download(t *testing.T, client *holdfast.Client) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.zip")
	if _, err := client.DownloadBackupFile(testContext(t), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func transfers(ctx context.Context, t *testing.T, client *holdfast.Client) []*managementv1.Transfer {
	t.Helper()
	response, err := client.Management.ListTransfers(ctx, &managementv1.ListTransfersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return response.Transfers
}
