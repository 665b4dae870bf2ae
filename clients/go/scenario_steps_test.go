package holdfast_test

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	holdfast "holdfast.dev/clients/go"
	documentv1 "holdfast.dev/clients/go/document/v1"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

// steps has a function for each value of do.
var steps = map[string]func(*scenarioRun, step) (outcome, error){
	"createDocument": func(r *scenarioRun, s step) (outcome, error) {
		document, err := r.Documents.CreateDocument(r.ctx, &documentv1.CreateDocumentRequest{
			FactoryLink: s.Factory, DocumentId: s.ID, Body: &documentv1.CreateDocumentRequest_Json{Json: []byte(s.JSON)},
		})
		r.keep(s.KeepTime, strconv.FormatInt(document.GetUpdateTimeMicros(), 10))
		return ofDocument(document), err
	},
	"getDocument": func(r *scenarioRun, s step) (outcome, error) {
		document, err := r.Documents.GetDocument(r.ctx, &documentv1.GetDocumentRequest{SelfLink: s.Link})
		return ofDocument(document), err
	},
	"patchDocument": func(r *scenarioRun, s step) (outcome, error) {
		document, err := r.Documents.PatchDocument(r.ctx, &documentv1.PatchDocumentRequest{
			SelfLink: s.Link, ExpectedVersion: s.ExpectedVersion, Body: &documentv1.PatchDocumentRequest_Json{Json: []byte(s.JSON)},
		})
		return ofDocument(document), err
	},
	"replaceDocument": func(r *scenarioRun, s step) (outcome, error) {
		document, err := r.Documents.ReplaceDocument(r.ctx, &documentv1.ReplaceDocumentRequest{
			SelfLink: s.Link, ExpectedVersion: s.ExpectedVersion, Body: &documentv1.ReplaceDocumentRequest_Json{Json: []byte(s.JSON)},
		})
		return ofDocument(document), err
	},
	"deleteDocument": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Documents.DeleteDocument(r.ctx, &documentv1.DeleteDocumentRequest{SelfLink: s.Link, ExpectedVersion: s.ExpectedVersion})
		return ofDocument(response.GetDocument()), err
	},
	"getDocumentVersion": func(r *scenarioRun, s step) (outcome, error) {
		document, err := r.Documents.GetDocumentVersion(r.ctx, &documentv1.GetDocumentVersionRequest{SelfLink: s.Link, Version: s.Version})
		return ofDocument(document), err
	},
	"listDocumentVersions": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Documents.ListDocumentVersions(r.ctx, &documentv1.ListDocumentVersionsRequest{SelfLink: s.Link})
		return outcome{"count": len(response.GetVersions())}, err
	},
	"listDocuments": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Documents.ListDocuments(r.ctx, &documentv1.ListDocumentsRequest{FactoryLink: s.Factory, Filter: s.Filter})
		return outcome{"count": len(response.GetDocuments())}, err
	},
	"importDocuments": func(r *scenarioRun, s step) (outcome, error) {
		result, err := r.ImportDocuments(r.ctx, s.Factory, manyDocuments(s.Count), holdfast.WithSkip(s.Skip))
		return outcome{"documents": result.Documents, "created": result.Created, "replaced": result.Replaced, "unchanged": result.Unchanged}, err
	},
	"exportDocuments": func(r *scenarioRun, s step) (outcome, error) {
		count := 0
		for _, err := range r.ExportDocuments(r.ctx, s.Factory, holdfast.WithFilter(s.Filter)) {
			if err != nil {
				return nil, err
			}
			count++
		}
		return outcome{"count": count}, nil
	},

	"backup": func(r *scenarioRun, s step) (outcome, error) {
		result, sameOperation, err := r.backup(s)
		r.keep(s.KeepTransfer, "transfers/"+trimScheme(result.GetBackup().GetUri()))
		return outcome{"verified": result.GetVerified(), "segments": result.GetSegmentsWritten(), "sameOperation": sameOperation}, err
	},
	"listBackups": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Management.ListBackups(r.ctx, &managementv1.ListBackupsRequest{Uri: r.uri(s.URI)})
		return outcome{"count": len(response.GetBackups())}, err
	},
	"describeBackup": func(r *scenarioRun, s step) (outcome, error) {
		backup, err := r.Management.DescribeBackup(r.ctx, &managementv1.DescribeBackupRequest{Uri: r.uri(s.URI)})
		return outcome{"documents": backup.GetDocuments()}, err
	},
	"checkIndex": func(r *scenarioRun, s step) (outcome, error) {
		result, err := r.CheckIndex(r.ctx, &managementv1.CheckIndexRequest{})
		return outcome{"documents": result.GetDocuments()}, err
	},
	"verifyBackup": func(r *scenarioRun, s step) (outcome, error) {
		result, err := r.VerifyBackup(r.ctx, &managementv1.VerifyBackupRequest{Uri: r.uri(s.URI)})
		return outcome{"documents": result.GetBackup().GetDocuments()}, err
	},
	"diffBackups": func(r *scenarioRun, s step) (outcome, error) {
		time, err := r.time(s.FromTime)
		if err != nil {
			return nil, err
		}
		stream, err := r.Management.DiffBackups(r.ctx, &managementv1.DiffBackupsRequest{
			From: &managementv1.IndexPointInTime{Uri: r.uri(s.From), TargetTimeMicros: time},
			To:   &managementv1.IndexPointInTime{Uri: r.uri(s.To)},
		})
		if err != nil {
			return nil, err
		}
		count, summary := 0, new(managementv1.DiffSummary)
		err = each(stream.Recv, func(message *managementv1.DiffBackupsResponse) {
			count += len(message.Differences)
			summary = message.Summary
		})
		return outcome{"count": count, "created": summary.GetCreated(), "unchanged": summary.GetUnchanged()}, err
	},
	"exportBackup": func(r *scenarioRun, s step) (outcome, error) {
		time, err := r.time(s.TargetTime)
		if err != nil {
			return nil, err
		}
		stream, err := r.Management.ExportBackup(r.ctx, &managementv1.ExportBackupRequest{
			PointInTime: &managementv1.IndexPointInTime{Uri: r.uri(s.URI), TargetTimeMicros: time},
			Selection:   &managementv1.DocumentSelection{Prefixes: []string{s.Prefix}},
		})
		if err != nil {
			return nil, err
		}
		var text strings.Builder
		var count int64
		err = each(stream.Recv, func(message *managementv1.ExportBackupResponse) {
			for _, document := range message.Documents {
				text.Write(document)
			}
			count = message.GetCount()
		})
		return outcome{"count": count, "contains": text.String()}, err
	},
	"describePointInTime": func(r *scenarioRun, s step) (outcome, error) {
		time, err := r.time(s.TargetTime)
		if err != nil {
			return nil, err
		}
		found, err := r.Management.DescribePointInTime(r.ctx, &managementv1.DescribePointInTimeRequest{
			PointInTime: &managementv1.IndexPointInTime{Uri: r.uri(s.URI), TargetTimeMicros: time},
			Count:       1,
		})
		if err != nil {
			return nil, err
		}
		return outcome{"before": found.Before[0].SelfLink, "after": found.After[0].SelfLink, "count": found.VersionsAfter}, nil
	},
	"restore": func(r *scenarioRun, s step) (outcome, error) {
		time, err := r.time(s.TargetTime)
		if err != nil {
			return nil, err
		}
		result, err := r.Restore(r.ctx, &managementv1.RestoreRequest{Source: r.uri(s.Source), TargetTimeMicros: time})
		return outcome{"documents": result.GetDocuments()}, err
	},
	"undoRestore": func(r *scenarioRun, s step) (outcome, error) {
		operation, err := r.Management.UndoRestore(r.ctx, &managementv1.UndoRestoreRequest{})
		if err != nil {
			return nil, err
		}
		if operation, err = r.WaitForOperation(r.ctx, operation.Name); err != nil {
			return nil, err
		}
		result := new(managementv1.RestoreResult)
		err = operation.GetResponse().UnmarshalTo(result)
		return outcome{"documents": result.Documents}, err
	},
	"configureAutoBackup": func(r *scenarioRun, s step) (outcome, error) {
		set, err := r.Management.ConfigureAutoBackup(r.ctx, &managementv1.ConfigureAutoBackupRequest{Enabled: s.Enabled})
		return outcome{"enabled": set.GetEnabled()}, err
	},
	"configureRequestLogging": func(r *scenarioRun, s step) (outcome, error) {
		set, err := r.Management.ConfigureRequestLogging(r.ctx, &managementv1.ConfigureRequestLoggingRequest{Enabled: &s.Enabled})
		return outcome{"enabled": set.GetEnabled()}, err
	},
	"configureOperationTracing": func(r *scenarioRun, s step) (outcome, error) {
		set, err := r.Management.ConfigureOperationTracing(r.ctx, &managementv1.ConfigureOperationTracingRequest{Enabled: s.Enabled})
		return outcome{"enabled": set.GetEnabled()}, err
	},
	"synchronizeWithPeers": func(r *scenarioRun, s step) (outcome, error) {
		answer, err := r.Management.SynchronizeWithPeers(r.ctx, &managementv1.SynchronizeWithPeersRequest{NodeSelectorPath: s.Selector})
		return outcome{"count": len(answer.GetPeers())}, err
	},
	"getStats": func(r *scenarioRun, s step) (outcome, error) {
		answer, err := r.Management.GetStats(r.ctx, &managementv1.GetStatsRequest{})
		for _, stat := range answer.GetStats() {
			if stat.Name == s.Name {
				return outcome{"count": int(stat.LatestValue)}, err
			}
		}
		return outcome{}, err
	},
	"checkDestination": func(r *scenarioRun, s step) (outcome, error) {
		answer, err := r.Management.CheckDestination(r.ctx, &managementv1.CheckDestinationRequest{Uri: r.uri(s.URI)})
		enforced := 0
		for _, feature := range answer.GetFeatures() {
			if feature.Enforced {
				enforced++
			}
		}
		return outcome{"count": enforced}, err
	},
	"getActivity": func(r *scenarioRun, s step) (outcome, error) {
		found, err := r.Management.GetActivity(r.ctx, &managementv1.GetActivityRequest{Buckets: 1000})
		created := int64(0)
		for _, bucket := range found.GetBuckets() {
			created += bucket.Created
		}
		return outcome{"count": created}, err
	},
	"copyBackup": func(r *scenarioRun, s step) (outcome, error) {
		result, err := r.CopyBackup(r.ctx, &managementv1.CopyBackupRequest{Source: r.uri(s.Source), Destination: r.uri(s.Destination)})
		return outcome{"documents": result.GetBackup().GetDocuments(), "segments": result.GetSegmentsWritten()}, err
	},
	"openBackup": func(r *scenarioRun, s step) (outcome, error) {
		time, err := r.time(s.TargetTime)
		if err != nil {
			return nil, err
		}
		point := &managementv1.IndexPointInTime{Uri: r.uri(s.URI), TargetTimeMicros: time}
		opened, err := r.OpenBackup(r.ctx, &managementv1.OpenBackupRequest{PointInTime: point})
		if err != nil {
			return nil, err
		}
		listed, err := r.Documents.ListDocuments(r.ctx, &documentv1.ListDocumentsRequest{FactoryLink: s.Factory, IndexLink: opened.IndexLink})
		if err != nil {
			return nil, err
		}
		compared, err := r.Documents.CompareDocumentVersions(r.ctx, &documentv1.CompareDocumentVersionsRequest{SelfLink: s.Link})
		if err != nil {
			return nil, err
		}
		_, err = r.Management.CloseBackup(r.ctx, &managementv1.CloseBackupRequest{IndexLink: opened.IndexLink})
		return outcome{"documents": opened.Documents, "count": len(listed.Documents), "differences": len(compared.Differences)}, err
	},
	"pinBackup": func(r *scenarioRun, s step) (outcome, error) {
		names, err := r.oldestBackups(s)
		if err != nil {
			return nil, err
		}
		_, err = r.Management.PinBackup(r.ctx, &managementv1.PinBackupRequest{Uri: r.uri(s.URI), BackupName: names[0], Reason: s.Reason})
		return nil, err
	},
	"unpinBackup": func(r *scenarioRun, s step) (outcome, error) {
		names, err := r.oldestBackups(s)
		if err != nil {
			return nil, err
		}
		_, err = r.Management.UnpinBackup(r.ctx, &managementv1.UnpinBackupRequest{Uri: r.uri(s.URI), BackupName: names[0]})
		return nil, err
	},
	"pruneBackups": func(r *scenarioRun, s step) (outcome, error) {
		names, err := r.oldestBackups(s)
		if err != nil {
			return nil, err
		}
		response, err := r.Management.PruneBackups(r.ctx, &managementv1.PruneBackupsRequest{Uri: r.uri(s.URI), Names: names})
		return outcome{"count": len(response.GetRemovedBackups()), "pinned": len(response.GetPinnedBackups())}, err
	},

	"downloadBackup": func(r *scenarioRun, s step) (outcome, error) {
		var transfer *managementv1.Transfer
		err := r.cut(toClient, s.CutAfterBytes, func(client *holdfast.Client) (err error) {
			transfer, err = client.DownloadBackupFile(r.ctx, r.path(s.To), holdfast.WithSince(r.value(s.Since)))
			return err
		})
		r.keep(s.KeepManifest, transfer.GetBackup().GetManifestSha256())
		return outcome{"documents": transfer.GetBackup().GetDocuments(), "size": transfer.GetSizeBytes()}, err
	},
	"uploadRestore": func(r *scenarioRun, s step) (outcome, error) {
		opts := []holdfast.UploadOption{holdfast.WithBaseSources(s.BaseSources...)}
		if s.Transfer != "" {
			opts = append(opts, holdfast.WithTransferName("transfers/"+s.Transfer))
		}
		if s.Keep {
			opts = append(opts, holdfast.WithKeep())
		}
		var response *managementv1.StreamRestoreResponse
		err := r.cut(toHost, s.CutAfterBytes, func(client *holdfast.Client) (err error) {
			response, err = client.UploadRestoreFile(r.ctx, r.path(s.From), opts...)
			return err
		})
		return outcome{"documents": response.GetResult().GetDocuments()}, err
	},
	"getTransfer": func(r *scenarioRun, s step) (outcome, error) {
		transfer, err := r.Management.GetTransfer(r.ctx, &managementv1.GetTransferRequest{Name: r.value(s.Name)})
		direction := map[managementv1.TransferDirection]string{
			managementv1.TransferDirection_TRANSFER_DIRECTION_DOWNLOAD: "DOWNLOAD",
			managementv1.TransferDirection_TRANSFER_DIRECTION_UPLOAD:   "UPLOAD",
		}[transfer.GetDirection()]
		return outcome{"complete": transfer.GetComplete(), "direction": direction}, err
	},
	"listTransfers": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Management.ListTransfers(r.ctx, &managementv1.ListTransfersRequest{})
		names := []string{}
		for _, transfer := range response.GetTransfers() {
			names = append(names, transfer.Name)
		}
		return outcome{"contains": names}, err
	},
	"deleteTransfer": func(r *scenarioRun, s step) (outcome, error) {
		_, err := r.Management.DeleteTransfer(r.ctx, &managementv1.DeleteTransferRequest{Name: r.value(s.Name)})
		return nil, err
	},
	"byteStreamRead": func(r *scenarioRun, s step) (outcome, error) {
		stream, err := r.ByteStream.Read(r.ctx, &bytestream.ReadRequest{ResourceName: r.value(s.Name), ReadOffset: s.Offset, ReadLimit: s.Limit})
		bytes := 0
		for err == nil {
			var response *bytestream.ReadResponse
			response, err = stream.Recv()
			bytes += len(response.GetData())
		}
		if err == io.EOF {
			err = nil
		}
		return outcome{"bytes": bytes}, err
	},
	"byteStreamWrite": func(r *scenarioRun, s step) (outcome, error) {
		stream, err := r.ByteStream.Write(r.ctx)
		if err != nil {
			return nil, err
		}
		if err := stream.Send(&bytestream.WriteRequest{ResourceName: r.value(s.Name), Data: []byte(s.Text), FinishWrite: true}); err != nil && err != io.EOF {
			return nil, err
		}
		response, err := stream.CloseAndRecv()
		return outcome{"bytes": response.GetCommittedSize()}, err
	},
	"queryWriteStatus": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.ByteStream.QueryWriteStatus(r.ctx, &bytestream.QueryWriteStatusRequest{ResourceName: r.value(s.Name)})
		return outcome{"bytes": response.GetCommittedSize(), "complete": response.GetComplete()}, err
	},

	"getHost": func(r *scenarioRun, s step) (outcome, error) {
		return outcome{"documents": r.documents()}, nil
	},
	"startBackup": func(r *scenarioRun, s step) (outcome, error) {
		operation, err := r.Management.Backup(r.ctx, &managementv1.BackupRequest{Destination: r.uri(s.Destination)})
		r.keep(s.KeepOperation, operation.GetName())
		return nil, err
	},
	"waitOperation": func(r *scenarioRun, s step) (outcome, error) {
		operation, err := r.Operations.WaitOperation(r.ctx, &longrunningpb.WaitOperationRequest{Name: r.value(s.Name)})
		return outcome{"done": operation.GetDone()}, err
	},
	"watchOperation": func(r *scenarioRun, s step) (outcome, error) {
		var heard *managementv1.OperationMetadata
		operation, err := r.WaitForOperation(r.ctx, r.value(s.Name), holdfast.WithOperationProgress(func(m *managementv1.OperationMetadata) { heard = m }))
		if err == nil && heard.GetEndTimeMicros() == 0 {
			err = fmt.Errorf("the stream ended before the operation")
		}
		return outcome{"done": operation.GetDone()}, err
	},
	"getOperation": func(r *scenarioRun, s step) (outcome, error) {
		operation, err := r.Operations.GetOperation(r.ctx, &longrunningpb.GetOperationRequest{Name: r.value(s.Name)})
		return outcome{"done": operation.GetDone()}, err
	},
	"cancelOperation": func(r *scenarioRun, s step) (outcome, error) {
		_, err := r.Operations.CancelOperation(r.ctx, &longrunningpb.CancelOperationRequest{Name: r.value(s.Name)})
		return nil, err
	},
	"listOperations": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Operations.ListOperations(r.ctx, &longrunningpb.ListOperationsRequest{})
		names := []string{}
		for _, operation := range response.GetOperations() {
			names = append(names, operation.Name)
		}
		return outcome{"contains": names}, err
	},
	"deleteOperation": func(r *scenarioRun, s step) (outcome, error) {
		_, err := r.Operations.DeleteOperation(r.ctx, &longrunningpb.DeleteOperationRequest{Name: r.value(s.Name)})
		return nil, err
	},
	"health": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Health.Check(r.ctx, &grpc_health_v1.HealthCheckRequest{Service: s.Service})
		return outcome{"serving": response.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING}, err
	},
}

// oldestBackups returns the names of the oldest backups, as many as the step states.
func (r *scenarioRun) oldestBackups(s step) ([]string, error) {
	listed, err := r.Management.ListBackups(r.ctx, &managementv1.ListBackupsRequest{Uri: r.uri(s.URI)})
	if err != nil {
		return nil, err
	}
	backups := slices.SortedFunc(slices.Values(listed.Backups), func(a, b *managementv1.ListedBackup) int {
		return int(a.GetBackup().GetNumber() - b.GetBackup().GetNumber())
	})
	names := []string{}
	for _, backup := range backups[:s.Oldest] {
		names = append(names, backup.Name)
	}
	return names, nil
}

// each calls f with every message of a stream.
func each[T any](receive func() (T, error), f func(T)) error {
	for {
		message, err := receive()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f(message)
	}
}

// time returns a point in time of a step in microseconds; nil if the step has none.
func (r *scenarioRun) time(text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	micros, err := strconv.ParseInt(r.value(text), 10, 64)
	return &micros, err
}

func ofDocument(document *documentv1.Document) outcome {
	return outcome{"version": document.GetVersion(), "contains": string(document.GetJson())}
}

// backup waits for the backup, unless the step checks the operation.
func (r *scenarioRun) backup(s step) (result *managementv1.BackupResult, sameOperation bool, err error) {
	request := &managementv1.BackupRequest{
		Destination: r.uri(s.Destination),
		Container:   managementv1.Container(managementv1.Container_value["CONTAINER_"+s.Container]),
		RequestId:   s.RequestID,
	}
	if s.RequestID == "" {
		result, err = r.Backup(r.ctx, request)
		return result, false, err
	}
	operation, err := r.Management.Backup(r.ctx, request)
	if err != nil {
		return nil, false, err
	}
	sameOperation = r.operations[s.RequestID] == operation.Name
	r.operations[s.RequestID] = operation.Name
	if operation, err = r.WaitForOperation(r.ctx, operation.Name); err != nil {
		return nil, false, err
	}
	result = new(managementv1.BackupResult)
	return result, sameOperation, operation.GetResponse().UnmarshalTo(result)
}

func trimScheme(uri string) string { return strings.TrimPrefix(uri, "transfer:") }

func manyDocuments(count int) iter.Seq2[[]byte, error] {
	return holdfast.JSONDocuments(func(yield func(map[string]any) bool) {
		for n := range count {
			if !yield(map[string]any{"documentSelfLink": fmt.Sprintf("many-%d", n), "name": fmt.Sprintf("number %d", n)}) {
				return
			}
		}
	})
}

// everyCall makes the calls that no scenario makes, and fails if a method is never called.
func (r *scenarioRun) everyCall(t *testing.T) {
	watching, err := r.Health.Watch(r.ctx, &grpc_health_v1.HealthCheckRequest{})
	if err == nil {
		_, err = watching.Recv()
	}
	if err != nil {
		t.Error(err)
	}
	if listed, err := r.Health.List(r.ctx, &grpc_health_v1.HealthListRequest{}); err != nil || listed.Statuses["backup"] == nil {
		t.Error(listed, err)
	}
	for _, file := range []protoreflect.FileDescriptor{
		managementv1.File_holdfast_management_v1_management_proto,
		managementv1.File_holdfast_management_v1_policy_proto,
		documentv1.File_holdfast_document_v1_document_proto,
		longrunningpb.File_google_longrunning_operations_proto,
		bytestream.File_google_bytestream_bytestream_proto,
		grpc_health_v1.File_grpc_health_v1_health_proto,
	} {
		for s := range file.Services().Len() {
			service := file.Services().Get(s)
			for m := range service.Methods().Len() {
				// Shutdown would stop a shared host; the test of the TypeScript client calls it.
				method := fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(m).Name())
				if !r.calls.has(method) && method != managementv1.ManagementService_Shutdown_FullMethodName {
					t.Errorf("%s was never called", method)
				}
			}
		}
	}
}
