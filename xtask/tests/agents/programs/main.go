// A server that answers /front by what it asks of itself at /back. Its port is the first line it says.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	address := listener.Addr().(*net.TCPAddr)
	http.HandleFunc("/back", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprint(answer, "back") })
	http.HandleFunc("/front", func(answer http.ResponseWriter, asked *http.Request) {
		request, _ := http.NewRequestWithContext(asked.Context(), "GET", fmt.Sprintf("http://%s/back", address), nil)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		fmt.Fprintf(answer, "front %s", body)
	})
	fmt.Println(address.Port)
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
}
