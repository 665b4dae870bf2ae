package holdfast_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	holdfast "holdfast.dev/clients/go"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

// fake is a host that returns wrong responses.
type fake struct {
	managementv1.UnimplementedManagementServiceServer
	streams    int
	watches    int
	damage     func(stream int, response *managementv1.StreamBackupResponse)
	operations [][]*longrunningpb.Operation
}

func startFake(t *testing.T, f *fake) *holdfast.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	managementv1.RegisterManagementServiceServer(server, f)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return dial(t, listener.Addr().String())
}

func (f *fake) StreamBackup(request *managementv1.StreamBackupRequest, stream grpc.ServerStreamingServer[managementv1.StreamBackupResponse]) error {
	f.streams++
	content := []byte("all of a backup")
	digest := sha256.Sum256(content)
	data := content[request.Offset:]
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	for _, response := range []*managementv1.StreamBackupResponse{
		{Message: &managementv1.StreamBackupResponse_Header{Header: &managementv1.StreamBackupHeader{Transfer: &managementv1.Transfer{Name: "transfers/fake", SizeBytes: int64(len(content))}}}},
		{Message: &managementv1.StreamBackupResponse_Chunk{Chunk: &managementv1.Chunk{Offset: request.Offset, Data: data, Crc32C: &sum}}},
		{Message: &managementv1.StreamBackupResponse_Trailer{Trailer: &managementv1.TransferTrailer{SizeBytes: int64(len(content)), Sha256: hex.EncodeToString(digest[:])}}},
	} {
		f.damage(f.streams, response)
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) WatchOperation(_ *managementv1.WatchOperationRequest, stream grpc.ServerStreamingServer[longrunningpb.Operation]) error {
	f.watches++
	for _, operation := range f.operations[f.watches-1] {
		if err := stream.Send(operation); err != nil {
			return err
		}
	}
	return nil
}

func TestDownloadRefusesAWrongDigest(t *testing.T) {
	f := &fake{damage: func(_ int, response *managementv1.StreamBackupResponse) {
		if trailer := response.GetTrailer(); trailer != nil {
			trailer.Sha256 = strings.Repeat("0", 64)
		}
	}}
	path := filepath.Join(t.TempDir(), "backup.zip")
	_, err := startFake(t, f).DownloadBackupFile(testContext(t), path)
	if e, ok := errors.AsType[*holdfast.Error](err); !ok || e.Code != codes.DataLoss || f.streams != 1 {
		t.Fatal(err, f.streams)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
		t.Errorf("leftover files: %v", left)
	}
}

func TestDownloadRetriesADamagedChunk(t *testing.T) {
	f := &fake{damage: func(stream int, response *managementv1.StreamBackupResponse) {
		if chunk := response.GetChunk(); chunk != nil && stream == 1 {
			chunk.Data = []byte("ALL of a backup")
		}
	}}
	path := filepath.Join(t.TempDir(), "backup.zip")
	if _, err := startFake(t, f).DownloadBackupFile(testContext(t), path); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(path); string(content) != "all of a backup" || f.streams != 2 {
		t.Error(string(content), f.streams)
	}
}

func TestWaitForOperationRetriesAnInterruptedStream(t *testing.T) {
	running := &longrunningpb.Operation{Name: "operations/1"}
	failed := &longrunningpb.Operation{Name: "operations/1", Done: true, Result: &longrunningpb.Operation_Error{
		Error: &status.Status{Code: int32(codes.Unavailable), Message: "the store cannot be reached"},
	}}
	f := &fake{operations: [][]*longrunningpb.Operation{{running}, {}, {running, failed}}}
	_, err := startFake(t, f).WaitForOperation(testContext(t), "operations/1")
	if e, ok := errors.AsType[*holdfast.Error](err); !ok || e.Message != "the store cannot be reached" || f.watches != 3 {
		t.Error(err, f.watches)
	}
}
