package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/signal"
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

// supervise does what is asked until the input ends or a signal comes, and ends everything then.
func supervise(folder string, in io.Reader, out io.Writer) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	// Nobody may be left to read the events; writing them must not end us before the clean-up. Caught rather than
	// ignored, since what we start would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	s := &supervisor{out: json.NewEncoder(out), running: map[uint64]*exec.Cmd{}}
	s.tell(event{Folder: folder})
	requests := make(chan request)
	go read(in, requests)
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
}

// read passes requests on until the input ends or makes no sense any more.
func read(in io.Reader, requests chan<- request) {
	defer close(requests)
	input := json.NewDecoder(bufio.NewReader(in))
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
