package holdfast_test

import (
	"net"
	"sync"
	"testing"
)

type direction int

const (
	toHost direction = iota
	toClient
)

// proxy forwards between a client and a host, and closes one connection after a number of bytes in one direction.
type proxy struct {
	address string
	target  string

	mu   sync.Mutex
	left [2]int64 // per direction; negative: unlimited
	cuts int
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p := &proxy{address: listener.Addr().String(), target: target, left: [2]int64{-1, -1}}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			host, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			go p.pass(toHost, host, client)
			go p.pass(toClient, client, host)
		}
	}()
	return p
}

func (p *proxy) cutAfter(d direction, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[d] = bytes
}

func (p *proxy) cutCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// take returns how many of the bytes to forward, and whether to close the connection after them.
func (p *proxy) take(d direction, n int) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left[d] < 0 {
		return n, false
	}
	if int64(n) < p.left[d] {
		p.left[d] -= int64(n)
		return n, false
	}
	n = int(p.left[d])
	p.left[d] = -1
	p.cuts++
	return n, true
}

func (p *proxy) pass(d direction, to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		n, cut := p.take(d, n)
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil || cut {
			return
		}
	}
}
