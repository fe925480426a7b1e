// Command supervise runs processes for the test bed and takes all of them, and their folder, along when it ends.
//
// It ends when its standard input does, which the kernel closes however the process at the other end died. Requests
// come in on standard input and events go out on standard output, one JSON object a line.
//
// With --box the processes run in namespaces and cgroups of their own, laid out for a Kubernetes node.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

func init() {
	// A parent-death signal is tied to the thread that forked, and a namespace entered later is the thread's alone: all
	// of that is done by the main thread, which lives as long as the process.
	runtime.LockOSThread()
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case stageCgroups:
			fail(enterCgroups(os.Args[2:]))
		case stageFirst:
			fail(beFirst(os.Args[2:]))
		case stageWork:
			fail(work(os.Args[2:]))
		case "pause":
			pause()
		}
	}
	boxed := flag.Bool("box", false, "run everything in namespaces and cgroups of its own")
	var forwards []string
	flag.Func("forward", "with --box, LISTEN=DIAL: pass connections on, host:HOST:PORT to HOST:PORT of the box, or HOST:PORT of the box to unix:NAME in the folder", func(value string) error {
		forwards = append(forwards, value)
		return nil
	})
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: supervise [--box [--forward LISTEN=DIAL]...] FOLDER_FOR_TEMPORARY_FOLDERS PREFIX")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(64)
	}
	// Made here, not by the asker, so that no folder is ever without someone to remove it.
	folder, err := os.MkdirTemp(flag.Arg(0), flag.Arg(1))
	fail(err)
	if *boxed {
		err = runBox(folder, forwards)
	} else {
		supervise(folder, os.Stdin, os.Stdout)
	}
	if e := os.RemoveAll(folder); err == nil {
		err = e
	}
	fail(err)
}

// fail ends the process where there is an error.
func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		os.Exit(1)
	}
}
