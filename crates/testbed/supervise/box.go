package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// The stages that a box is entered by. Each is this program again, since a namespace must be there before the threads of
// a Go program are.
const (
	stageCgroups = "--in-namespaces"
	stageFirst   = "--in-cgroups"
	stageWork    = "--in-box"
)

// The first descriptor that is handed to a stage beside the three that every process has.
const firstFile = 3

// runBox runs the supervisor in a box until it ends, and removes the cgroups that the box had.
func runBox(folder string, forwards []string) error {
	groups, err := makeCgroups()
	if err != nil {
		return err
	}
	defer groups.remove()

	arguments := append([]string{stageCgroups, folder}, groups.folders()...)
	command := exec.Command("/proc/self/exe", append(append(arguments, "--"), forwards...)...)
	// Ports of the host have to be opened out here; whoever has the open file can take connections in there.
	for _, forward := range forwards {
		listen, _, _ := strings.Cut(forward, "=")
		if address, ours := strings.CutPrefix(listen, onHost); ours {
			file, err := listenOnHost(address)
			if err != nil {
				return err
			}
			defer file.Close()
			command.ExtraFiles = append(command.ExtraFiles, file)
		}
	}
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	// The box ends by itself when its input does; a signal ends it at once.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := command.Start(); err != nil {
		return fmt.Errorf("cannot make namespaces: %w", err)
	}
	go func() {
		<-signals
		_ = command.Process.Kill()
	}()
	// The kernel has ended every process of the box before its first one is waited for.
	if err := command.Wait(); err != nil {
		return fmt.Errorf("the box ended: %w", err)
	}
	return nil
}

// listenOnHost opens a port that its owner has reserved with a socket that shares it.
func listenOnHost(address string) (*os.File, error) {
	listener, err := (&net.ListenConfig{Control: sharePort}).Listen(background, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return listener.(*net.TCPListener).File()
}
