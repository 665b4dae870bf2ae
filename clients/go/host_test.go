package holdfast_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	holdfast "holdfast.dev/clients/go"
)

const root = "../.."

var main = filepath.Join(root, "dist", "src", "cli", "main.js")

// host is a process that runs the command of this repository.
type host struct {
	address string
	args    []string
	cmd     *exec.Cmd
}

// whyNoHost returns why no host can be started; empty if one can.
func whyNoHost() string {
	if _, err := exec.LookPath("node"); err != nil {
		return "node is not installed"
	}
	if _, err := os.Stat(main); err != nil {
		return "the host is not built: npm run build"
	}
	return ""
}

var grpcLine = regexp.MustCompile(`^\s*gRPC\s+(\S+)`)

// start runs the host and waits until it is ready. Later starts use the same port.
func (h *host) start() error {
	port := "0"
	if h.address != "" {
		port = regexp.MustCompile(`\d+$`).FindString(h.address)
	}
	args := append([]string{main, "serve", "--http-port", "0", "--grpc-port", port}, h.args...)
	h.cmd = exec.Command("node", args...)
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := h.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if match := grpcLine.FindStringSubmatch(lines.Text()); match != nil {
			h.address = match[1]
			go io.Copy(io.Discard, stdout)
			return nil
		}
	}
	return fmt.Errorf("the host exited during its start: %w", h.cmd.Wait())
}

func (h *host) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

func (h *host) stop() {
	// A stopping host waits some seconds for clients that are just disconnecting.
	time.Sleep(100 * time.Millisecond)
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { _ = h.cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = h.cmd.Process.Kill()
	}
}

// startHost starts a host for one test.
func startHost(t *testing.T, args ...string) *host {
	t.Helper()
	if why := whyNoHost(); why != "" {
		t.Skip(why)
	}
	h := &host{args: append([]string{"--data-dir", filepath.Join(t.TempDir(), "data")}, args...)}
	if err := h.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.stop)
	return h
}

func dial(t *testing.T, address string, opts ...holdfast.Option) *holdfast.Client {
	t.Helper()
	client, err := holdfast.Dial(address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*holdfast.Error](err); ok {
		return e.Reason
	}
	return ""
}

// exampleAddress is the gRPC address for the examples; empty if there is no host.
var exampleAddress = os.Getenv("HOLDFAST_ADDRESS")

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	switch why := whyNoHost(); {
	case exampleAddress != "":
	case why != "":
		fmt.Println("the examples are skipped:", why)
		_ = flag.Set("test.skip", "^Example")
	default:
		directory, err := os.MkdirTemp("", "holdfast-go-")
		if err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(directory)
		h := &host{args: []string{"--data-dir", filepath.Join(directory, "data")}}
		if err := h.start(); err != nil {
			log.Fatal(err)
		}
		defer h.stop()
		exampleAddress = h.address
	}
	return m.Run()
}
