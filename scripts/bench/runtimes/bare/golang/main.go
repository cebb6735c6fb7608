// Command golang is what net/http alone does with the requests that the benchmark of runtimes sends: it reads the body,
// and answers with a fixed value or with what lies in Redis.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

type fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Code    string `json:"code"`
}

func main() {
	opts, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client := redis.NewClient(opts)
	read := func(w http.ResponseWriter, r *http.Request) bool {
		var body struct{ Input map[string]any }
		err := json.NewDecoder(r.Body).Decode(&body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		return err == nil
	}
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /actions/register-user", func(w http.ResponseWriter, r *http.Request) {
		if read(w, r) {
			answer(w, map[string]any{
				"success": false, "user": nil, "message": "Validation failed", "error_code": "VALIDATION_ERROR",
				"errors": []fault{
					{"email", "Email is required", "REQUIRED_FIELD"}, {"password", "Password is required", "REQUIRED_FIELD"},
					{"name", "Name is required", "REQUIRED_FIELD"},
				},
			})
		}
	})
	mux.HandleFunc("POST /actions/cached-user", func(w http.ResponseWriter, r *http.Request) {
		if !read(w, r) {
			return
		}
		var user map[string]any
		data, err := client.Get(r.Context(), "bench:user").Bytes()
		if err == nil {
			err = json.Unmarshal(data, &user)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer(w, user)
	})
	srv := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux, ReadHeaderTimeout: time.Second}
	fmt.Fprintln(os.Stderr, srv.ListenAndServe())
}
