package holdfast

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	documentv1 "holdfast.dev/clients/go/document/v1"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

// messageBytes is what a host takes and sends in one message; gRPC's default of 4 MiB is less than a document may have.
const messageBytes = 20 << 20

// Client is a connection to one host. It may be used by several goroutines. Close it at the end.
type Client struct {
	// Management backs up, restores and describes the host.
	Management managementv1.ManagementServiceClient
	// Documents reads and writes documents.
	Documents documentv1.DocumentServiceClient
	// Operations looks after work that takes long.
	Operations longrunningpb.OperationsClient
	// ByteStream reads and writes transfers by Google's protocol; resources are transfers/NAME.
	ByteStream bytestream.ByteStreamClient
	// Health tells what serves: the names are those of the services, "backup" and "".
	Health grpc_health_v1.HealthClient

	conn *grpc.ClientConn
	// How long is tried in vain; the constant of that name, but in tests.
	patience time.Duration
}

// Option sets how a host is reached.
type Option func(*dialOptions)

type dialOptions struct {
	credentials credentials.TransportCredentials
	token       string
	grpc        []grpc.DialOption
}

// WithToken sends a token with each call, as Authorization: Bearer. Over plain text everybody on the way can read it.
func WithToken(token string) Option {
	return func(o *dialOptions) { o.token = token }
}

// WithTLSConfig reaches the host over TLS; nil stands for the system's authorities and no client certificate.
func WithTLSConfig(config *tls.Config) Option {
	return WithTransportCredentials(credentials.NewTLS(config))
}

// WithTransportCredentials reaches the host by these credentials in place of plain text.
func WithTransportCredentials(c credentials.TransportCredentials) Option {
	return func(o *dialOptions) { o.credentials = c }
}

// WithDialOptions hands further options to gRPC. They override those of this package; interceptors come after its own.
func WithDialOptions(opts ...grpc.DialOption) Option {
	return func(o *dialOptions) { o.grpc = append(o.grpc, opts...) }
}

// Dial makes a client of the host whose gRPC port is at address, for example localhost:8001. It does not wait for a
// connection: an address at which nobody answers shows at the first call. The error is one of the address or the options.
func Dial(address string, opts ...Option) (*Client, error) {
	o := dialOptions{credentials: insecure.NewCredentials()}
	for _, opt := range opts {
		opt(&o)
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(o.credentials),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytes), grpc.MaxCallSendMsgSize(messageBytes)),
		grpc.WithChainUnaryInterceptor(unaryErrors),
		grpc.WithChainStreamInterceptor(streamErrors),
		// gRPC would wait up to two minutes between its attempts, and so miss a host that is back.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: longestPause},
			MinConnectTimeout: 10 * time.Second,
		}),
		// A peer that is gone without a word would otherwise be waited for without end.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
	}
	if o.token != "" {
		dial = append(dial, grpc.WithPerRPCCredentials(bearer(o.token)))
	}
	conn, err := grpc.NewClient(address, append(dial, o.grpc...)...)
	if err != nil {
		return nil, fmt.Errorf("holdfast: %w", err)
	}
	return &Client{
		Management: managementv1.NewManagementServiceClient(conn),
		Documents:  documentv1.NewDocumentServiceClient(conn),
		Operations: longrunningpb.NewOperationsClient(conn),
		ByteStream: bytestream.NewByteStreamClient(conn),
		Health:     grpc_health_v1.NewHealthClient(conn),
		conn:       conn,
		patience:   patience,
	}, nil
}

// Close ends the connection and, with an error, the calls that are under way.
func (c *Client) Close() error {
	return c.conn.Close()
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity lets tokens go to hosts on loopback, which need no TLS.
func (bearer) RequireTransportSecurity() bool { return false }
