package holdfast_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"gopkg.in/yaml.v3"

	holdfast "holdfast.dev/clients/go"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

type scenario struct {
	Name  string
	Steps []step
}

// step is a step of scenarios.yaml, which documents its fields.
type step struct {
	Do, Factory, ID, Link, JSON, Filter, Container string
	Destination, Source, URI, To, From, Since      string
	Transfer, Name, Service, Text, Selector        string
	Cron, Etag, Reason, Run                        string
	Enabled                                        bool
	ValidateOnly                                   bool   `yaml:"validateOnly"`
	KeepLast                                       uint32 `yaml:"keepLast"`
	KeepEtag                                       string `yaml:"keepEtag"`
	KeepRun                                        string `yaml:"keepRun"`
	ExpectedVersion                                *int64 `yaml:"expectedVersion"`
	Version                                        *int64
	Count, Oldest                                  int
	Skip, Offset, Limit                            int64
	Keep                                           bool
	RequestID                                      string `yaml:"requestId"`
	TargetTime                                     string `yaml:"targetTime"`
	FromTime                                       string `yaml:"fromTime"`
	Prefix                                         string
	CutAfterBytes                                  int64    `yaml:"cutAfterBytes"`
	BaseSources                                    []string `yaml:"baseSources"`
	KeepTime                                       string   `yaml:"keepTime"`
	KeepManifest                                   string   `yaml:"keepManifest"`
	KeepTransfer                                   string   `yaml:"keepTransfer"`
	KeepOperation                                  string   `yaml:"keepOperation"`
	Error                                          string
	Expect                                         map[string]any
}

// outcome is the result of a step, for expect.
type outcome map[string]any

// scenarioRun runs all scenarios against one host.
type scenarioRun struct {
	*holdfast.Client
	t          *testing.T
	ctx        context.Context
	address    string
	directory  string
	kept       map[string]string
	operations map[string]string // by request id
	calls      *callCounter
}

func TestScenarios(t *testing.T) {
	address := os.Getenv("HOLDFAST_ADDRESS")
	if address == "" {
		address = startHost(t).address
	}
	calls := &callCounter{answered: map[string]bool{}}
	run := &scenarioRun{
		Client:     dial(t, address, calls.option()),
		t:          t,
		ctx:        testContext(t),
		address:    address,
		directory:  t.TempDir(),
		kept:       map[string]string{},
		operations: map[string]string{},
		calls:      calls,
	}
	if run.documents() != 0 {
		t.Skip("the scenarios require an empty host, and the host at HOLDFAST_ADDRESS has documents")
	}
	for _, scenario := range readScenarios(t, run.directory) {
		passed := t.Run(scenario.Name, func(t *testing.T) {
			for n, step := range scenario.Steps {
				if err := run.play(step); err != nil {
					t.Fatalf("step %d, %s: %v", n+1, step.Do, err)
				}
			}
		})
		if !passed {
			t.FailNow()
		}
	}
	t.Run("every call of every service was answered", run.everyCall)
}

func readScenarios(t *testing.T, directory string) (scenarios []scenario) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "scenarios.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// A scenario sends this file as a foreign archive.
	if err := os.WriteFile(filepath.Join(directory, "scenarios.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&scenarios); err != nil {
		t.Fatal(err)
	}
	return scenarios
}

func (r *scenarioRun) play(s step) error {
	do, known := steps[s.Do]
	if !known {
		return fmt.Errorf("unknown step")
	}
	got, err := do(r, s)
	switch {
	case s.Error != "" && reasonOf(err) != s.Error:
		return fmt.Errorf("got %v and %v, want %s", got, err, s.Error)
	case s.Error != "":
		return nil
	case err != nil:
		return err
	}
	for key, expected := range s.Expect {
		if err := r.check(key, r.value(fmt.Sprint(expected)), got); err != nil {
			return fmt.Errorf("%w, in %v", err, got)
		}
	}
	return nil
}

func (r *scenarioRun) check(key, expected string, got outcome) error {
	switch key {
	case "contains":
		if list, ok := got[key].([]string); ok {
			for _, item := range list {
				if item == expected {
					return nil
				}
			}
			return fmt.Errorf("missing: %s", expected)
		}
		if !strings.Contains(fmt.Sprint(got[key]), expected) {
			return fmt.Errorf("missing: %s", expected)
		}
	case "smallerThan":
		if other := r.sizeOf(expected); got["size"].(int64) >= other {
			return fmt.Errorf("not smaller than %d", other)
		}
	default:
		if actual := fmt.Sprint(got[key]); actual != expected {
			return fmt.Errorf("%s: got %s, want %s", key, actual, expected)
		}
	}
	return nil
}

// value returns the value that an earlier step stored as $name, or else its argument.
func (r *scenarioRun) value(text string) string {
	name, isKept := strings.CutPrefix(text, "$")
	if !isKept {
		return text
	}
	value, ok := r.kept[name]
	if !ok {
		r.t.Fatalf("no step stored %s", name)
	}
	return value
}

func (r *scenarioRun) keep(name, value string) {
	if name != "" {
		r.kept[name] = value
	}
}

func (r *scenarioRun) path(name string) string { return filepath.Join(r.directory, name) }

// uri returns the file: URI of a path in the directory; URIs of transfers are unchanged.
func (r *scenarioRun) uri(name string) string {
	if strings.HasPrefix(name, "transfer:") {
		return name
	}
	return "file:" + r.path(name)
}

func (r *scenarioRun) sizeOf(name string) int64 {
	info, err := os.Stat(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return info.Size()
}

// documents returns the number of documents in the durable index.
func (r *scenarioRun) documents() int64 {
	host, err := r.Management.GetHost(r.ctx, &managementv1.GetHostRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, index := range host.Indexes {
		if index.Link == "/core/document-index" {
			return index.Documents
		}
	}
	r.t.Fatal("the host has no durable index")
	return 0
}

// cut runs work with a client whose first connection breaks, and fails if it did not break.
func (r *scenarioRun) cut(d direction, bytes int64, work func(*holdfast.Client) error) error {
	if bytes == 0 {
		return work(r.Client)
	}
	p := startProxy(r.t, r.address)
	p.cutAfter(d, bytes)
	err := work(dial(r.t, p.address, r.calls.option()))
	if err == nil && p.cutCount() != 1 {
		err = fmt.Errorf("the connection did not break")
	}
	return err
}

// callCounter records the methods that were called successfully.
type callCounter struct {
	mu       sync.Mutex
	answered map[string]bool
}

func (c *callCounter) note(method string, err error) {
	if err != nil && err != io.EOF {
		if code := status.Code(err); code == codes.Unimplemented || code == codes.Unavailable || code == codes.Canceled {
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered[method] = true
}

func (c *callCounter) has(method string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered[method]
}

func (c *callCounter) option() holdfast.Option {
	return holdfast.WithDialOptions(
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			err := invoke(ctx, method, req, reply, cc, opts...)
			c.note(method, err)
			return err
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, desc, cc, method, opts...)
			return countedStream{stream, func(err error) { c.note(method, err) }}, err
		}),
	)
}

type countedStream struct {
	grpc.ClientStream
	note func(error)
}

func (s countedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.note(err)
	return err
}
