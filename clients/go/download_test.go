package holdfast_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	holdfast "holdfast.dev/clients/go"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

func checkFile(t *testing.T, path string, transfer *managementv1.Transfer) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(content)
	if int64(len(content)) != transfer.SizeBytes || hex.EncodeToString(digest[:]) != transfer.Sha256 {
		t.Fatalf("the file differs from the transfer %v", transfer)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Fatalf("leftover files: %v", left)
	}
}

// interrupted ends a download after three chunks and returns its partial file.
func interrupted(t *testing.T, address, path string, opts ...holdfast.DownloadOption) (partial []byte) {
	t.Helper()
	client := dial(t, address)
	ctx, cancel := context.WithCancel(testContext(t))
	chunks := 0
	opts = append(opts, holdfast.WithProgress(func(int64, int64) {
		if chunks++; chunks == 3 {
			cancel()
		}
	}))
	if _, err := client.DownloadBackupFile(ctx, path, opts...); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	client.Close()
	partial, err := os.ReadFile(path + ".partial")
	if err != nil || len(partial) < 3<<20 {
		t.Fatal(len(partial), err)
	}
	return partial
}

func TestDownloadResumesAfterAnInterruption(t *testing.T) {
	h, _ := filled(t)
	p := startProxy(t, h.address)
	p.cutAfter(toClient, 4<<20)
	client := dial(t, p.address)
	path := filepath.Join(t.TempDir(), "backup.zip")
	var firsts []int64
	last := int64(0)
	transfer, err := client.DownloadBackupFile(testContext(t), path, holdfast.WithProgress(func(done, total int64) {
		if done-last > 1<<20 || done <= last {
			t.Errorf("progress %d after %d", done, last)
		}
		last, firsts = done, append(firsts, total)
	}))
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, transfer)
	if p.cutCount() != 1 || last != transfer.SizeBytes || firsts[0] != transfer.SizeBytes {
		t.Error(p.cutCount(), last, firsts)
	}
	if left := transfers(testContext(t), t, client); len(left) > 0 {
		t.Errorf("leftover transfers: %v", left)
	}
}

func TestDownloadToAWriterResumesAfterAnInterruption(t *testing.T) {
	h, _ := filled(t)
	p := startProxy(t, h.address)
	p.cutAfter(toClient, 4<<20)
	var content bytes.Buffer
	transfer, err := dial(t, p.address).DownloadBackup(testContext(t), &content)
	if err != nil {
		t.Fatal(err)
	}
	if digest := sha256.Sum256(content.Bytes()); hex.EncodeToString(digest[:]) != transfer.Sha256 || p.cutCount() != 1 {
		t.Error(transfer, p.cutCount())
	}
}

func TestDownloadResumesInALaterCall(t *testing.T) {
	h, client := filled(t)
	path := filepath.Join(t.TempDir(), "backup.zip")
	partial := interrupted(t, h.address, path)
	first := int64(0)
	transfer, err := client.DownloadBackupFile(testContext(t), path, holdfast.WithProgress(func(done, _ int64) {
		if first == 0 {
			first = done
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, transfer)
	if first <= int64(len(partial)) {
		t.Errorf("started over: the first chunk ended at %d", first)
	}
}

func TestDownloadResumesAfterARestartOfTheHost(t *testing.T) {
	h, _ := filled(t)
	client := dial(t, h.address)
	path := filepath.Join(t.TempDir(), "backup.zip")
	restarted := make(chan error, 1)
	chunks := 0
	transfer, err := client.DownloadBackupFile(testContext(t), path, holdfast.WithProgress(func(int64, int64) {
		if chunks++; chunks == 3 {
			h.kill()
			go func() { restarted <- h.start() }()
		}
	}))
	if err := errors.Join(err, <-restarted); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, transfer)
}

func TestDownloadStartsOverIfTheTransferIsGone(t *testing.T) {
	h, client := filled(t)
	path := filepath.Join(t.TempDir(), "backup.zip")
	interrupted(t, h.address, path)
	ctx := testContext(t)
	for _, transfer := range transfers(ctx, t, client) {
		if _, err := client.Management.DeleteTransfer(ctx, &managementv1.DeleteTransferRequest{Name: transfer.Name}); err != nil {
			t.Fatal(err)
		}
	}
	transfer, err := client.DownloadBackupFile(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, transfer)
}

func TestDownloadStartsOverIfThePartialFileIsDamaged(t *testing.T) {
	h, client := filled(t)
	path := filepath.Join(t.TempDir(), "backup.zip")
	partial := interrupted(t, h.address, path)
	partial[1000] ^= 1
	if err := os.WriteFile(path+".partial", partial, 0o600); err != nil {
		t.Fatal(err)
	}
	transfer, err := client.DownloadBackupFile(testContext(t), path)
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, transfer)
}

func TestDownloadDoesNotResumeAnotherRequest(t *testing.T) {
	h, client := filled(t)
	path := filepath.Join(t.TempDir(), "backup.zip")
	interrupted(t, h.address, path)
	interrupted(t, h.address, path, holdfast.WithStore())
	transfer, err := client.DownloadBackupFile(testContext(t), path, holdfast.WithoutResume())
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, transfer)
	if left := transfers(testContext(t), t, client); len(left) != 2 {
		t.Errorf("the host has %d transfers", len(left))
	}
}

func TestDownloadOfAnExistingTransfer(t *testing.T) {
	_, client := filled(t)
	ctx := testContext(t)
	result, err := client.Backup(ctx, &managementv1.BackupRequest{Destination: "transfer:"})
	if err != nil {
		t.Fatal(err)
	}
	name := "transfers/" + trimScheme(result.Backup.Uri)
	path := filepath.Join(t.TempDir(), "backup.zip")
	transfer, err := client.DownloadBackupFile(ctx, path, holdfast.WithTransferName(name))
	if err != nil || transfer.Name != name {
		t.Fatal(transfer, err)
	}
	checkFile(t, path, transfer)
	if len(transfers(ctx, t, client)) != 1 {
		t.Error("the transfer was deleted")
	}
}

func TestDownloadFailsAfterItsPatience(t *testing.T) {
	client := dial(t, "127.0.0.1:1")
	client.SetPatience(500 * time.Millisecond)
	path := filepath.Join(t.TempDir(), "backup.zip")
	begun := time.Now()
	if _, err := client.DownloadBackupFile(testContext(t), path); err == nil {
		t.Fatal("the download succeeded without a host")
	}
	if took := time.Since(begun); took < 500*time.Millisecond || took > 5*time.Second {
		t.Errorf("retried for %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := client.DownloadBackup(ctx, &bytes.Buffer{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
