package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// enterCgroups is the first stage inside: joins the box's cgroups and makes them the root of what the box sees.
func enterCgroups(arguments []string) error {
	folder := arguments[0]
	separator := slices.Index(arguments, "--")
	forwards := arguments[separator+1:]
	groups, err := joinCgroups(arguments[1:separator])
	if err != nil {
		return err
	}
	if err := syscall.Unshare(syscall.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("cannot make a cgroup namespace: %w", err)
	}
	next := append([]string{"supervise", stageFirst, folder}, groups...)
	return syscall.Exec("/proc/self/exe", append(append(next, "--"), forwards...), os.Environ())
}

// beFirst is the second stage: lays the box out and stays as its first process, which buries what nobody waits for.
func beFirst(arguments []string) error {
	folder := arguments[0]
	separator := slices.Index(arguments, "--")
	forwards := arguments[separator+1:]
	if err := layOut(folder, arguments[1:separator]); err != nil {
		return err
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	worker := exec.Command("/proc/self/exe", append([]string{stageWork, folder}, forwards...)...)
	worker.Stdin, worker.Stdout, worker.Stderr = os.Stdin, os.Stdout, os.Stderr
	for _, forward := range forwards {
		if strings.HasPrefix(forward, onHost) {
			worker.ExtraFiles = append(worker.ExtraFiles, os.NewFile(uintptr(firstFile+len(worker.ExtraFiles)), forward))
		}
	}
	if err := worker.Start(); err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case pid == worker.Process.Pid:
			// With the first process, the kernel ends all others.
			os.Exit(status.ExitStatus())
		}
	}
}

// work is the last stage: the supervisor itself, in the box.
func work(arguments []string) error {
	folder, forwards := arguments[0], arguments[1:]
	if err := forwardAll(folder, forwards); err != nil {
		return err
	}
	supervise(folder, os.Stdin, os.Stdout)
	os.Exit(0)
	return nil
}

// layOut gives the box its own view of what a node writes to. Nothing of it is seen outside, and all of it goes with the
// box or lies in its folder.
func layOut(folder string, groups []string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot keep mounts to the box: %w", err)
	}
	// Among the box's own, mounts spread, as the kubelet wants it for volumes.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("cannot share mounts within the box: %w", err)
	}
	const plain = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	mounts := []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"securityfs", "/sys/kernel/security"}, {"bpf", "/sys/fs/bpf"}, {"tmpfs", "/sys/fs/cgroup"},
	}
	// What the host has there is taken away rather than covered, since container runtimes read the list of mounts.
	for _, at := range []string{"/sys", "/proc"} {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("cannot take %s away: %w", at, err)
		}
	}
	for _, m := range mounts {
		if err := syscall.Mount(m.kind, m.at, m.kind, plain, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", m.at, err)
		}
	}
	if err := mountCgroups(groups); err != nil {
		return err
	}
	// Programs and devices are used from here.
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", syscall.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount /run: %w", err)
	}
	for _, at := range []string{"/var/lib", "/var/log"} {
		own := filepath.Join(folder, "root", at)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(own, at, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot bind %s: %w", at, err)
		}
	}
	return syscall.Sethostname([]byte("node"))
}
