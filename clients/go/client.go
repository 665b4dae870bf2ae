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

// messageBytes is the maximum size of a message. It is the limit of a host; the default of gRPC, 4 MiB, is smaller than
// the largest document.
const messageBytes = 20 << 20

// Client is a connection to a host. It is safe for concurrent use. Close it after use.
type Client struct {
	// Management backs up, restores and manages the host.
	Management managementv1.ManagementServiceClient
	// Policies manages backup policies and lists what they did.
	Policies managementv1.PolicyServiceClient
	// Documents reads and writes documents.
	Documents documentv1.DocumentServiceClient
	// Operations lists, cancels and deletes long-running operations.
	Operations longrunningpb.OperationsClient
	// ByteStream reads and writes transfers with the google.bytestream protocol; resources are transfers/NAME.
	ByteStream bytestream.ByteStreamClient
	// Health reports the health of a service by its name, of backups as "backup", and of the host as "".
	Health grpc_health_v1.HealthClient

	conn *grpc.ClientConn
	// How long work may fail without progress; tests shorten it.
	patience time.Duration
}

// Option configures the connection to a host.
type Option func(*dialOptions)

type dialOptions struct {
	credentials credentials.TransportCredentials
	token       string
	grpc        []grpc.DialOption
}

// WithToken sends a token with each call, as Authorization: Bearer. Without TLS the token is sent in plain text.
func WithToken(token string) Option {
	return func(o *dialOptions) { o.token = token }
}

// WithTLSConfig connects over TLS. A nil config uses the CAs of the system and no client certificate.
func WithTLSConfig(config *tls.Config) Option {
	return WithTransportCredentials(credentials.NewTLS(config))
}

// WithTransportCredentials connects with these credentials. Default: plain text.
func WithTransportCredentials(c credentials.TransportCredentials) Option {
	return func(o *dialOptions) { o.credentials = c }
}

// WithDialOptions passes further options to gRPC. They override the options of this package; interceptors run after
// those of this package.
func WithDialOptions(opts ...grpc.DialOption) Option {
	return func(o *dialOptions) { o.grpc = append(o.grpc, opts...) }
}

// Dial returns a client of the host with this gRPC address, for example localhost:8001. It does not wait for the
// connection; an unreachable host causes an error in the first call. Dial fails if the address or an option is invalid.
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
		// By default gRPC waits up to two minutes between attempts, longer than a host takes to restart.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: longestPause},
			MinConnectTimeout: 10 * time.Second,
		}),
		// Without keepalive a call waits forever for a host that disappeared without closing the connection.
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
		Policies:   managementv1.NewPolicyServiceClient(conn),
		Documents:  documentv1.NewDocumentServiceClient(conn),
		Operations: longrunningpb.NewOperationsClient(conn),
		ByteStream: bytestream.NewByteStreamClient(conn),
		Health:     grpc_health_v1.NewHealthClient(conn),
		conn:       conn,
		patience:   patience,
	}, nil
}

// Close closes the connection. Calls in flight fail.
func (c *Client) Close() error {
	return c.conn.Close()
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity returns false, so that a token can be sent to a host on loopback without TLS.
func (bearer) RequireTransportSecurity() bool { return false }
