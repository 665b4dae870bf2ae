package holdfast_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	holdfast "holdfast.dev/clients/go"
	documentv1 "holdfast.dev/clients/go/document/v1"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

// Connects to the gRPC address exampleAddress, for example localhost:8001.
func ExampleDial() {
	ctx := context.Background()
	client, err := holdfast.Dial(exampleAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	document, err := client.Documents.CreateDocument(ctx, &documentv1.CreateDocumentRequest{
		FactoryLink: "/core/examples",
		Body:        &documentv1.CreateDocumentRequest_Json{Json: []byte(`{"name":"Ada","counter":9007199254740993}`)},
		BodyFormat:  documentv1.BodyFormat_BODY_FORMAT_JSON,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Version, document.Action)
	// Output: 0 DOCUMENT_ACTION_POST
}

func ExampleError() {
	ctx := context.Background()
	client, err := holdfast.Dial(exampleAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	_, err = client.Documents.GetDocument(ctx, &documentv1.GetDocumentRequest{SelfLink: "/core/examples/missing"})
	var failure *holdfast.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.Code, failure.Reason)
	}
	// Output: NotFound DOCUMENT_NOT_FOUND
}

func ExampleClient_ImportDocuments() {
	ctx := context.Background()
	client, err := holdfast.Dial(exampleAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	type person struct {
		Link string `json:"documentSelfLink"`
		Name string `json:"name"`
	}
	people := []person{{"imported-ada", "Ada"}, {"imported-grace", "Grace"}}
	result, err := client.ImportDocuments(ctx, "/core/examples", holdfast.JSONDocuments(slices.Values(people)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Documents)

	for document, err := range client.ExportDocuments(ctx, "/core/examples", holdfast.WithFilter("name eq 'Grace'")) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(document.SelfLink)
	}
	// Output:
	// 2
	// /core/examples/imported-grace
}

func ExampleClient_Backup() {
	ctx := context.Background()
	client, err := holdfast.Dial(exampleAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	directory, err := os.MkdirTemp("", "backups-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(directory)

	destination := "file:" + filepath.Join(directory, "backups")
	backup, err := client.Backup(ctx, &managementv1.BackupRequest{Destination: destination})
	if err != nil {
		log.Fatal(err)
	}
	restored, err := client.Restore(ctx, &managementv1.RestoreRequest{Source: destination})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(backup.Verified, restored.Documents == backup.Backup.Documents)
	// Output: true true
}

func ExampleClient_DownloadBackupFile() {
	ctx := context.Background()
	client, err := holdfast.Dial(exampleAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	directory, err := os.MkdirTemp("", "archives-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(directory)

	path := filepath.Join(directory, "backup.zip")
	archive, err := client.DownloadBackupFile(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	restored, err := client.UploadRestoreFile(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(restored.Result.Documents == archive.Backup.Documents)
	// Output: true
}
