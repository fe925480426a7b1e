package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A cgroup of the box carries the process id of whoever has to remove it.
const cgroupPrefix = "epiphyte-box-"

// How long what was left behind may take to be gone.
const sweepTakes = 5 * time.Second

// hierarchy is one tree of cgroups: one of several of version 1, or the one of version 2.
type hierarchy struct {
	// Its controllers as mount names them; empty for version 2.
	controllers string
	// The folder of the box's cgroup, as the host sees it.
	folder string
	// Where the box mounts it.
	at string
}

type hierarchies []hierarchy

// What a node limits its pods by. The other controllers are handed on where the box has them.
var needed = []string{"cpu", "cpuset", "memory", "pids"}

// makeCgroups makes a cgroup for the box in every hierarchy: below the one that this process is in, or with version 2 below
// one that hands controllers on.
func makeCgroups() (hierarchies, error) {
	found, err := findHierarchies()
	if err != nil {
		return nil, err
	}
	for i := range found {
		h := &found[i]
		parent, err := h.parent()
		if err != nil {
			found[:i].remove()
			return nil, err
		}
		sweep(parent)
		h.folder = filepath.Join(parent, cgroupPrefix+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(h.folder, 0o755); err != nil {
			found[:i].remove()
			return nil, fmt.Errorf("cannot make a cgroup: %w", err)
		}
		// A cpuset of version 1 is empty at first, and then nothing can run in it.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if value, err := os.ReadFile(filepath.Join(parent, file)); err == nil {
				_ = os.WriteFile(filepath.Join(h.folder, file), value, 0)
			}
		}
	}
	return found, nil
}

// parent finds the cgroup below which the box's has every controller. With version 2, the one that a process is in rarely
// hands any on; then it is the nearest one above that does, or in the end the root, which can always be told to.
func (h hierarchy) parent() (string, error) {
	if h.controllers != "" {
		return h.folder, nil
	}
	has, err := readWords(filepath.Join(h.at, "cgroup.controllers"))
	if err != nil {
		return "", err
	}
	// Those that are missing here are version 1's, which may be all.
	wanted := slices.DeleteFunc(slices.Clone(needed), func(name string) bool { return !slices.Contains(has, name) })
	for folder := h.folder; ; folder = filepath.Dir(folder) {
		handed, err := readWords(filepath.Join(folder, "cgroup.subtree_control"))
		if err != nil {
			return "", err
		}
		missing := slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return slices.Contains(handed, name) })
		if len(missing) == 0 {
			return folder, nil
		}
		if folder == h.at {
			// It stays so, since others may count on it by the time that this box ends. In a container this root is not the
			// machine's, and refuses while there are processes in it.
			if err := handOn(folder, missing); err != nil {
				return "", fmt.Errorf("cannot have the controllers %s in cgroups: %w", strings.Join(missing, ", "), err)
			}
			return folder, nil
		}
	}
}

// findHierarchies tells the cgroups that this process is in.
func findHierarchies() (hierarchies, error) {
	memberships, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var found hierarchies
	for _, line := range strings.Split(strings.TrimSpace(string(memberships)), "\n") {
		// The hierarchy's number, its controllers, the cgroup.
		fields := strings.SplitN(line, ":", 3)
		if at := mountOf(string(mounts), fields[1]); at != "" {
			found = append(found, hierarchy{controllers: fields[1], folder: filepath.Join(at, fields[2]), at: at})
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroups are mounted")
	}
	return found, nil
}

// mountOf finds where a hierarchy is mounted.
func mountOf(mounts, controllers string) string {
	for _, line := range strings.Split(mounts, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		at, kind, options := fields[1], fields[2], ","+fields[3]+","
		if controllers == "" && kind == "cgroup2" {
			return at
		}
		if controllers != "" && kind == "cgroup" && hasAll(options, strings.Split(controllers, ",")) {
			return at
		}
	}
	return ""
}

func hasAll(options string, names []string) bool {
	for _, name := range names {
		if !strings.Contains(options, ","+name+",") {
			return false
		}
	}
	return true
}

// folders is what the next stage is told: each hierarchy as controllers, folder and mount point.
func (h hierarchies) folders() []string {
	var told []string
	for _, one := range h {
		told = append(told, one.controllers+":"+one.at+":"+one.folder)
	}
	return told
}

// remove removes the box's cgroups, all of whose processes are gone.
func (h hierarchies) remove() {
	for _, one := range h {
		removeCgroup(one.folder)
	}
}

// removeCgroup removes a cgroup and those below it. Files in it are the kernel's and go by themselves.
func removeCgroup(folder string) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if entry.IsDir() {
			removeCgroup(filepath.Join(folder, entry.Name()))
		}
	}
	_ = syscall.Rmdir(folder)
}

// sweep removes what was left by boxes whose supervisor was killed.
func sweep(parent string) {
	left, _ := filepath.Glob(filepath.Join(parent, cgroupPrefix+"*"))
	for _, folder := range left {
		pid := strings.TrimPrefix(filepath.Base(folder), cgroupPrefix)
		if _, err := os.Stat("/proc/" + pid); !errors.Is(err, os.ErrNotExist) {
			continue
		}
		// The kernel has ended the processes in it by then, but may not be done with them.
		for end := time.Now().Add(sweepTakes); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			removeCgroup(folder)
			if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
	}
}

// joinCgroups puts this process into the box's cgroups; gives what remains to be known of them: controllers and mount
// points.
func joinCgroups(told []string) ([]string, error) {
	var groups []string
	for _, one := range told {
		fields := strings.SplitN(one, ":", 3)
		if err := os.WriteFile(filepath.Join(fields[2], "cgroup.procs"), []byte("0"), 0); err != nil {
			return nil, fmt.Errorf("cannot enter a cgroup: %w", err)
		}
		groups = append(groups, fields[0]+":"+fields[1])
	}
	return groups, nil
}

// mountCgroups mounts the hierarchies where the host has them; the box's cgroups are their roots.
func mountCgroups(groups []string) error {
	for _, group := range groups {
		controllers, at, _ := strings.Cut(group, ":")
		kind := "cgroup"
		if controllers == "" {
			kind = "cgroup2"
		}
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(kind, at, kind, 0, controllers); err != nil {
			return fmt.Errorf("cannot mount the cgroups of %q: %w", controllers, err)
		}
		if kind == "cgroup2" {
			if err := delegate(at); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate hands the controllers of version 2 on to the cgroups below. A cgroup that does so has no processes of its own,
// so we move one down.
func delegate(root string) error {
	controllers, err := readWords(filepath.Join(root, "cgroup.controllers"))
	if err != nil || len(controllers) == 0 {
		// Version 1 has them all.
		return err
	}
	below := filepath.Join(root, "init")
	if err := os.Mkdir(below, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(below, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	return handOn(root, controllers)
}

// handOn lets the cgroups below one of version 2 have controllers.
func handOn(folder string, controllers []string) error {
	return os.WriteFile(filepath.Join(folder, "cgroup.subtree_control"), []byte("+"+strings.Join(controllers, " +")), 0)
}

func readWords(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	return strings.Fields(string(content)), err
}
