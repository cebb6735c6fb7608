// Command service is a function service for tests: it answers the probes, tells its process id and environment, crashes
// on demand, and has a request that takes until some time after it was told to stop.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	fmt.Println("service starts")
	if os.Getenv("CRASH_ON_START") != "" {
		fmt.Fprintln(os.Stderr, "cannot go on: CRASH_ON_START is set")
		os.Exit(3)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := os.Getenv("NOT_READY"); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		conn, err := net.Dial("tcp", os.Getenv("PROBE_ADDRESS"))
		if os.Getenv("PROBE_ADDRESS") != "" && err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		if conn != nil {
			conn.Close()
		}
	})
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(r.URL.Query().Get("key")))
	})
	mux.HandleFunc("POST /log", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.URL.Query().Get("text")) })
	mux.HandleFunc("POST /crash", func(http.ResponseWriter, *http.Request) {
		fmt.Fprintln(os.Stderr, "crashing as asked")
		os.Exit(4)
	})
	srv := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mux.HandleFunc("POST /slow", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Println("slow request begun")
		<-ctx.Done()
		time.Sleep(3 * time.Second)
		fmt.Fprint(w, "finished")
	})
	finished := make(chan struct{})
	context.AfterFunc(ctx, func() {
		_ = srv.Shutdown(context.Background())
		close(finished)
	})
	if err := srv.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-finished
}
