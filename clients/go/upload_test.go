package holdfast_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	holdfast "holdfast.dev/clients/go"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

func TestUploadResumesAfterAnInterruption(t *testing.T) {
	h, client := filled(t)
	path := download(t, client)
	p := startProxy(t, h.address)
	p.cutAfter(toHost, 4<<20)
	response, err := dial(t, p.address).UploadRestoreFile(testContext(t), path)
	if err != nil || response.Result.Documents != 128 || p.cutCount() != 1 {
		t.Fatal(response, err, p.cutCount())
	}
	if left := transfers(testContext(t), t, client); len(left) > 0 {
		t.Errorf("leftover transfers: %v", left)
	}
}

func TestUploadResumesInALaterCall(t *testing.T) {
	h, client := filled(t)
	path := download(t, client)
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	interruptUpload(t, h, archive, "transfers/later")
	name := holdfast.WithTransferName("transfers/later")
	begin := int64(-1)
	response, err := client.UploadRestoreFile(testContext(t), path, name, holdfast.WithProgress(func(done, _ int64) {
		if begin < 0 {
			begin = done
		}
	}))
	if err != nil || response.Result.Documents != 128 {
		t.Fatal(response, err)
	}
	if begin <= 1<<20 {
		t.Errorf("started over: the first chunk ended at %d", begin)
	}
}

func TestUploadResumesAfterARestartOfTheHost(t *testing.T) {
	h, client := filled(t)
	path := download(t, client)
	restarted := make(chan error, 1)
	sent := 0
	response, err := dial(t, h.address).UploadRestoreFile(testContext(t), path, holdfast.WithProgress(func(int64, int64) {
		if sent++; sent == 4 {
			h.kill()
			go func() { restarted <- h.start() }()
		}
	}))
	if err := errors.Join(err, <-restarted); err != nil {
		t.Fatal(err)
	}
	if response.Result.Documents != 128 {
		t.Error(response)
	}
}

func TestUploadRestoresToAPointInTime(t *testing.T) {
	h := startHost(t)
	client := dial(t, h.address)
	fill(t, client, 10, 100)
	host, err := client.Management.GetHost(testContext(t), &managementv1.GetHostRequest{})
	if err != nil {
		t.Fatal(err)
	}
	position := host.Indexes[0].PositionMicros
	fill(t, client, 20, 100)
	archive, err := os.ReadFile(download(t, client))
	if err != nil {
		t.Fatal(err)
	}
	upload := func(opts ...holdfast.UploadOption) *managementv1.StreamRestoreResponse {
		response, err := client.UploadRestore(testContext(t), bytes.NewReader(archive), int64(len(archive)), opts...)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	upload(holdfast.WithValidateOnly(), holdfast.WithTargetTime(position))
	if response := upload(holdfast.WithTargetTime(position), holdfast.WithIndexLink("/core/document-index")); response.Result.Documents != 10 {
		t.Error(response)
	}
}

func TestUploadOfAForeignFileIsRefusedAndDeleted(t *testing.T) {
	client := dial(t, startHost(t).address)
	text := "no backup"
	_, err := client.UploadRestore(testContext(t), strings.NewReader(text), int64(len(text)))
	e, ok := errors.AsType[*holdfast.Error](err)
	if !ok || e.Reason != "BACKUP_FOREIGN" || e.Code != codes.FailedPrecondition {
		t.Fatal(err)
	}
	if left := transfers(testContext(t), t, client); len(left) > 0 {
		t.Errorf("leftover transfers: %v", left)
	}
	if _, err := client.UploadRestore(testContext(t), strings.NewReader(text), 100); err == nil {
		t.Error("a file shorter than its size was accepted")
	}
}

func TestUploadOfAnotherFileToTheSameTransferIsRefused(t *testing.T) {
	h, client := filled(t)
	archive, err := os.ReadFile(download(t, client))
	if err != nil {
		t.Fatal(err)
	}
	interruptUpload(t, h, archive, "transfers/changed")
	name := holdfast.WithTransferName("transfers/changed")
	archive[100] ^= 1
	if _, err = client.UploadRestore(testContext(t), bytes.NewReader(archive), int64(len(archive)), name); reasonOf(err) != "TRANSFER_DAMAGED" {
		t.Error(err)
	}
}

// interruptUpload ends an upload midway, so that the host has a part of the archive.
func interruptUpload(t *testing.T, h *host, archive []byte, name string) {
	t.Helper()
	// Bytes in flight are lost when the stream ends, so it may take several attempts.
	for begun := time.Now(); time.Since(begun) < 30*time.Second; {
		client := dial(t, h.address)
		ctx, cancel := context.WithCancel(testContext(t))
		_, err := client.UploadRestore(ctx, bytes.NewReader(archive), int64(len(archive)), holdfast.WithTransferName(name), holdfast.WithProgress(func(done, total int64) {
			// Half of it is enough to resume from, and leaves something to send.
			if done*2 >= total && ctx.Err() == nil {
				time.Sleep(200 * time.Millisecond)
				cancel()
			}
		}))
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		// The host syncs the received bytes once it notices the end of the stream.
		for range 100 {
			transfer, _ := client.Management.GetTransfer(testContext(t), &managementv1.GetTransferRequest{Name: name})
			if transfer.GetCommittedBytes() > 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	t.Fatal("the host never had a part of the archive")
}
