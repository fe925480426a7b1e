package main

import (
	"os"
	"os/signal"
	"syscall"
)

// pause is what keeps a pod's namespaces: it waits to be ended.
func pause() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	os.Exit(0)
}
