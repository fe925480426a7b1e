package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// Before an address: it is the host's.
	onHost = "host:"
	// Before a name: a socket in the folder, which host and box both see.
	onFile = "unix:"
)

var background = context.Background()

// forwardAll passes connections on, from now on.
func forwardAll(folder string, forwards []string) error {
	files := 0
	for _, forward := range forwards {
		from, to, _ := strings.Cut(forward, "=")
		var listener net.Listener
		var err error
		if strings.HasPrefix(from, onHost) {
			listener, err = net.FileListener(os.NewFile(uintptr(firstFile+files), from))
			files++
		} else {
			listener, err = net.Listen("tcp", from)
		}
		if err != nil {
			return fmt.Errorf("cannot listen at %s: %w", from, err)
		}
		kind := "tcp"
		if name, file := strings.CutPrefix(to, onFile); file {
			kind, to = "unix", filepath.Join(folder, name)
		}
		go accept(listener, kind, to)
	}
	return nil
}

func accept(listener net.Listener, kind, to string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go pass(connection, kind, to)
	}
}

// pass connects two ends until both have said all they have to say.
func pass(near net.Conn, kind, to string) {
	defer near.Close()
	far, err := net.Dial(kind, to)
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{})
	go func() {
		copyAll(far, near)
		close(done)
	}()
	copyAll(near, far)
	<-done
}

func copyAll(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if closer, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = closer.CloseWrite()
		return
	}
	// Neither end has anything to wait for any more.
	to.Close()
	from.Close()
}

// sharePort lets a port be shared with the socket that reserves it.
func sharePort(_, _ string, connection syscall.RawConn) error {
	var set error
	if err := connection.Control(func(descriptor uintptr) {
		set = unix.SetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); err != nil {
		return err
	}
	return set
}
