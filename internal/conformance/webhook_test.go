package conformance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// webhooks is the server of handlers that Hasura's cases call. Where the original asks Hasura for rows of a table, it
// asks the database: this gateway serves no tables.
type webhooks struct {
	t    testing.TB
	pool *pgxpool.Pool // nil: no case needs it
}

// reply is a handler's answer. A zero status drops the connection.
type reply struct {
	status int
	body   any
}

type payload struct {
	Input struct {
		Email string            `json:"email"`
		Name  string            `json:"name"`
		Users []json.RawMessage `json:"users"`
		Arg   json.RawMessage   `json:"arg"`
		Blob  json.RawMessage   `json:"blob"`
	} `json:"input"`
}

var email = regexp.MustCompile(`^\w+([.-]?\w+)*@\w+([.-]?\w+)*(\.\w{2,3})+$`)

func newWebhooks(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	s := httptest.NewServer(&webhooks{t: t, pool: pool})
	t.Cleanup(s.Close)
	return s.URL
}

// ServeHTTP writes the answer itself: the cases expect exactly two headers.
func (s *webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Errorf("read payload: %v", err)
	}
	answer := reply{status: http.StatusOK}
	if r.Method == http.MethodPost {
		answer = s.handle(r, body)
	}
	conn, out, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.t.Errorf("hijack: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	if answer.status == 0 {
		return
	}
	_, _ = fmt.Fprintf(out, "HTTP/1.0 %d %s\r\n", answer.status, http.StatusText(answer.status))
	var encoded []byte
	if answer.body != nil {
		if encoded, err = json.Marshal(answer.body); err != nil {
			s.t.Errorf("encode answer: %v", err)
		}
		_, _ = out.WriteString("Content-Type: application/json\r\nSet-Cookie: abcd\r\n")
	}
	_, _ = fmt.Fprintf(out, "\r\n%s", encoded)
	_ = out.Flush()
}

func (s *webhooks) handle(r *http.Request, body []byte) reply {
	ok := func(text string) reply { return reply{http.StatusOK, json.RawMessage(text)} }
	var p payload
	if err := json.Unmarshal(body, &p); err != nil && r.URL.Path != "/mirror-headers" {
		s.t.Errorf("payload of %s: %v\n%s", r.URL.Path, err, body)
	}
	switch r.URL.Path {
	case "/create-user", "/create-user-timeout", "/create-user-nested":
		return s.createUser(r, p)
	case "/create-users":
		return s.createUsers(r, p)
	case "/mirror-action":
		return reply{http.StatusOK, p.Input.Arg}
	case "/mirror-headers":
		return mirrorHeaders(r)
	case "/get-user-by-email", "/get-users-by-email", "/get-user-by-email-nested":
		return s.usersByEmail(r, p)
	case "/intentional-error":
		return reply{http.StatusBadRequest, p.Input.Blob}
	case "/null-response":
		return ok(`null`)
	case "/omitted-response-field":
		return ok(`{"country":"India"}`)
	case "/scalar-response":
		return ok(`"some-string"`)
	case "/json-response":
		return ok(`{"foo":"bar"}`)
	case "/custom-scalar-array-response":
		return ok(`[{"foo":"bar"}]`)
	case "/scalar-array-response":
		return ok(`["foo","bar",null]`)
	case "/recursive-output":
		return ok(`{"direct":{"id":1,"this":{"id":2,"this":{"id":3}}},` +
			`"list":{"id":1,"these":[{"id":2,"these":[{"id":3}]},{"id":4}]},` +
			`"mutual":{"id":1,"that":{"id":2,"other":{"id":3,"that":{"id":4}}}}}`)
	case "/get-results":
		return ok(`{"result_ids":[1,2,3,4]}`)
	case "/typed-nested-null":
		return ok(`{"id":1,"child":null}`)
	case "/typed-nested-null-wrong-field":
		return ok(`{"id":null,"child":null}`)
	case "/own/headers":
		return reply{http.StatusOK, map[string]string{
			"role": r.Header.Get("X-Hasura-Role"), "user_id": r.Header.Get("X-Hasura-User-Id"),
			"session": r.Header.Get("X-Hasura-Session-Variables"), "secret": r.Header.Get("X-Hasura-Admin-Secret"),
			"forwarded": r.Header.Get("X-Tenant"),
		}}
	case "/own/business-failure":
		return ok(`{"success":false,"message":"out of stock","errors":[{"field":"qty","message":"0 left",` +
			`"code":"NO_STOCK"}]}`)
	case "/get_messages":
		return ok(`[{"content":"baz","user_name":"foo"},{"content":"foo","user_name":"bar"}]`)
	default:
		return reply{status: http.StatusNoContent}
	}
}

func refusal(message, code string) reply {
	return reply{http.StatusBadRequest, map[string]string{"message": message, "code": code}}
}

var queryFailed = refusal("GraphQL query execution failed", "unexpected")

func (s *webhooks) createUser(r *http.Request, p payload) reply {
	if !email.MatchString(p.Input.Email) {
		return refusal("Given email address is not valid", "invalid-email")
	}
	if r.URL.Path == "/create-user-timeout" {
		<-r.Context().Done() // longer than the action's timeout, and no longer than the caller waits
		return reply{}
	}
	id, err := insertUser(r, s.pool, p.Input.Email, p.Input.Name)
	if err != nil {
		return queryFailed
	}
	if r.URL.Path == "/create-user-nested" {
		return reply{http.StatusOK, map[string]any{"userObj": map[string]any{"id": id}}}
	}
	return reply{http.StatusOK, map[string]any{"id": id}}
}

func insertUser(r *http.Request, pool *pgxpool.Pool, email, name string) (id int, err error) {
	if pool == nil {
		return 0, errors.New("no database")
	}
	err = pool.QueryRow(r.Context(),
		`INSERT INTO "user" (email, name) VALUES ($1, $2) RETURNING id`, email, name).Scan(&id)
	return id, err
}

func (s *webhooks) createUsers(r *http.Request, p payload) reply {
	type user struct{ Email, Name string }
	var users []user
	for _, raw := range p.Input.Users {
		var u user
		if err := json.Unmarshal(raw, &u); err != nil {
			return queryFailed
		}
		if !email.MatchString(u.Email) {
			return refusal("Email address is not valid: "+u.Email, "invalid-email")
		}
		users = append(users, u)
	}
	ids := []map[string]any{}
	for _, u := range users {
		id, err := insertUser(r, s.pool, u.Email, u.Name)
		if err != nil {
			return queryFailed
		}
		ids = append(ids, map[string]any{"id": id})
	}
	return reply{http.StatusOK, ids}
}

func (s *webhooks) usersByEmail(r *http.Request, p payload) reply {
	if !email.MatchString(p.Input.Email) {
		return refusal("Given email address is not valid", "invalid-email")
	}
	rows, err := s.pool.Query(r.Context(), `SELECT id FROM "user" WHERE email = $1 ORDER BY id`, p.Input.Email)
	if err != nil {
		return queryFailed
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return queryFailed
	}
	users := []map[string]any{}
	for _, id := range ids {
		users = append(users, map[string]any{"id": id})
	}
	if r.URL.Path == "/get-users-by-email" {
		return reply{http.StatusOK, users}
	}
	if len(users) == 0 {
		return reply{}
	}
	if r.URL.Path == "/get-user-by-email-nested" {
		users[0]["user_id"] = map[string]any{"id": users[0]["id"]}
		users[0]["address"] = json.RawMessage(`{"city":"New York","country":"USA"}`)
		users[0]["addresses"] = json.RawMessage(
			`[{"city":"Bangalore","country":"India"},{"city":"Melbourne","country":"Australia"}]`)
	}
	return reply{http.StatusOK, users[0]}
}

func mirrorHeaders(r *http.Request) reply {
	headers := []map[string]string{}
	for name, values := range r.Header {
		for _, value := range values {
			headers = append(headers, map[string]string{"name": name, "value": value})
		}
	}
	return reply{http.StatusOK, map[string]any{"headers": headers}}
}
