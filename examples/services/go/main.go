// Stock says how many of an article there are: the last of the four services.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"time"
)

type stock struct {
	Article string `json:"article"`
	Left    int    `json:"left"`
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /stock/{article}", func(response http.ResponseWriter, request *http.Request) {
		article := request.PathValue("article")
		response.Header().Set("Content-Type", "application/json")
		// Who does not wait for the answer does not need it.
		_ = json.NewEncoder(response).Encode(stock{Article: article, Left: 10 * len(article)})
	})
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
