package holdfast_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	holdfast "holdfast.dev/clients/go"
	managementv1 "holdfast.dev/clients/go/management/v1"
)

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	write := func(name, kind string, content []byte) (path string, text []byte) {
		path, text = filepath.Join(directory, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path, text
	}
	certificatePath, authority := write("certificate.pem", "CERTIFICATE", certificate)
	keyPath, _ := write("key.pem", "PRIVATE KEY", private)
	h := startHost(t, "--tls-cert", certificatePath, "--tls-key", keyPath)

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	if _, err := dial(t, h.address, holdfast.WithTLSConfig(&tls.Config{RootCAs: roots})).Management.GetHost(testContext(t), &managementv1.GetHostRequest{}); err != nil {
		t.Error(err)
	}
	_, err = dial(t, h.address, holdfast.WithTLSConfig(nil)).Management.GetHost(testContext(t), &managementv1.GetHostRequest{})
	if e, ok := errors.AsType[*holdfast.Error](err); !ok || e.Code != codes.Unavailable {
		t.Error("an untrusted CA:", err)
	}
}
