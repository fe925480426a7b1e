// Command supervise runs processes for the test bed and takes all of them, and their folder, along when it ends.
//
// It ends when its standard input does, which the kernel closes however the process at the other end died. Requests
// come in on standard input and events go out on standard output, one JSON object a line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
)

// request asks to start a process or to stop one; the id is the asker's name for it and is never used twice.
type request struct {
	ID    uint64 `json:"id"`
	Start *start `json:"start"`
	Stop  bool   `json:"stop"`
}

type start struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	Log  string   `json:"log"`
}

// event tells what became of a request, or (first of all, with the id 0) where the folder is.
type event struct {
	ID     uint64 `json:"id"`
	Folder string `json:"folder,omitempty"`
	Pid    int    `json:"pid,omitempty"`
	Exited string `json:"exited,omitempty"`
	Failed string `json:"failed,omitempty"`
}

type supervisor struct {
	lock    sync.Mutex
	out     *json.Encoder
	running map[uint64]*exec.Cmd
	ended   sync.WaitGroup
}

func init() {
	// A parent-death signal is tied to the thread that forked: all forks come from the main thread, which lives
	// as long as the process.
	runtime.LockOSThread()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: supervise FOLDER_FOR_TEMPORARY_FOLDERS PREFIX")
		os.Exit(64)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	// Nobody may be left to read the events; writing them must not end us before the clean-up. Caught rather than
	// ignored, since what we start would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	// Made here, not by the asker, so that no folder is ever without someone to remove it.
	folder, err := os.MkdirTemp(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := &supervisor{out: json.NewEncoder(os.Stdout), running: map[uint64]*exec.Cmd{}}
	s.tell(event{Folder: folder})

	requests := make(chan request)
	go read(requests)
	for open := true; open; {
		select {
		case <-signals:
			open = false
		case r, more := <-requests:
			if open = more; !more {
				break
			} else if r.Start != nil {
				s.start(r.ID, r.Start)
			} else if r.Stop {
				s.stop(r.ID)
			}
		}
	}
	s.stopAll()
	if err := os.RemoveAll(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// read passes requests on until the input ends or makes no sense any more.
func read(requests chan<- request) {
	defer close(requests)
	input := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var r request
		if input.Decode(&r) != nil {
			return
		}
		requests <- r
	}
}

func (s *supervisor) start(id uint64, what *start) {
	log, err := os.OpenFile(what.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.tell(event{ID: id, Failed: err.Error()})
		return
	}
	defer log.Close()
	command := exec.Command(what.Argv[0], what.Argv[1:]...)
	command.Env, command.Stdout, command.Stderr = what.Env, log, log
	// A group of its own, so that what it starts can be ended with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		s.tell(event{ID: id, Failed: err.Error()})
		return
	}
	s.lock.Lock()
	s.running[id] = command
	s.lock.Unlock()
	s.tell(event{ID: id, Pid: command.Process.Pid})
	s.ended.Add(1)
	go func() {
		defer s.ended.Done()
		_ = command.Wait()
		// What it started and left behind goes too.
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		s.lock.Lock()
		delete(s.running, id)
		s.lock.Unlock()
		s.tell(event{ID: id, Exited: command.ProcessState.String()})
	}()
}

// stop ends a process as a crash would; its end is told when it has come.
func (s *supervisor) stop(id uint64) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if command, ok := s.running[id]; ok {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	}
}

func (s *supervisor) stopAll() {
	s.lock.Lock()
	for _, command := range s.running {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	}
	s.lock.Unlock()
	s.ended.Wait()
}

func (s *supervisor) tell(e event) {
	s.lock.Lock()
	defer s.lock.Unlock()
	_ = s.out.Encode(e)
}
