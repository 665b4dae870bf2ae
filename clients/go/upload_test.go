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

func TestUploadGoesOnAfterACut(t *testing.T) {
	h, client := filled(t)
	path := download(t, client)
	p := startProxy(t, h.address)
	p.cutAfter(toHost, 4<<20)
	response, err := dial(t, p.address).UploadRestoreFile(testContext(t), path)
	if err != nil || response.Result.Documents != 128 || p.cutCount() != 1 {
		t.Fatal(response, err, p.cutCount())
	}
	if left := transfers(testContext(t), t, client); len(left) > 0 {
		t.Errorf("the host still has %v", left)
	}
}

func TestUploadGoesOnInALaterCall(t *testing.T) {
	h, client := filled(t)
	path := download(t, client)
	name := holdfast.WithTransferName("transfers/later")
	ctx, cancel := context.WithCancel(testContext(t))
	first := dial(t, h.address)
	sent := 0
	_, err := first.UploadRestoreFile(ctx, path, name, holdfast.WithProgress(func(int64, int64) {
		if sent++; sent == 4 {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	first.Close()
	// The host makes durable what came once it has seen that the stream is over.
	for transfers(testContext(t), t, client)[0].CommittedBytes == 0 {
		time.Sleep(10 * time.Millisecond)
	}
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
		t.Errorf("it began anew: the first chunk ended at %d", begin)
	}
}

func TestUploadGoesOnAfterAnotherStartOfTheHost(t *testing.T) {
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

func TestUploadOfBytesIsRestoredToAMoment(t *testing.T) {
	h := startHost(t)
	client := dial(t, h.address)
	fill(t, client, 10, 100)
	host, err := client.Management.GetHost(testContext(t), &managementv1.GetHostRequest{})
	if err != nil {
		t.Fatal(err)
	}
	moment := host.Indexes[0].PositionMicros
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
	upload(holdfast.WithValidateOnly(), holdfast.WithTargetTime(moment))
	if response := upload(holdfast.WithTargetTime(moment), holdfast.WithIndexLink("/core/document-index")); response.Result.Documents != 10 {
		t.Error(response)
	}
}

func TestUploadThatIsNoBackupIsRefusedAndForgotten(t *testing.T) {
	client := dial(t, startHost(t).address)
	text := "no backup"
	_, err := client.UploadRestore(testContext(t), strings.NewReader(text), int64(len(text)))
	e, ok := errors.AsType[*holdfast.Error](err)
	if !ok || e.Reason != "BACKUP_FOREIGN" || e.Code != codes.FailedPrecondition {
		t.Fatal(err)
	}
	if left := transfers(testContext(t), t, client); len(left) > 0 {
		t.Errorf("the host still has %v", left)
	}
	if _, err := client.UploadRestore(testContext(t), strings.NewReader(text), 100); err == nil {
		t.Error("it is shorter than it says")
	}
}

func TestUploadOfAnotherFileUnderTheNameIsRefused(t *testing.T) {
	h, client := filled(t)
	archive, err := os.ReadFile(download(t, client))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	name := holdfast.WithTransferName("transfers/changed")
	sent := 0
	_, err = dial(t, h.address).UploadRestore(ctx, bytes.NewReader(archive), int64(len(archive)), name, holdfast.WithProgress(func(int64, int64) {
		if sent++; sent == 4 {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	archive[100] ^= 1
	if _, err = client.UploadRestore(testContext(t), bytes.NewReader(archive), int64(len(archive)), name); reasonOf(err) != "TRANSFER_DAMAGED" {
		t.Error(err)
	}
}
