package openapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/openapi"
)

func library(t *testing.T, opts openapi.Options) ([]openapi.Operation, []openapi.Skipped) {
	t.Helper()
	data, err := os.ReadFile("testdata/library.yaml")
	if err != nil {
		t.Fatal(err)
	}
	opts.Source = "library.yaml"
	operations, skipped, err := openapi.Convert(data, opts)
	if err != nil {
		t.Fatal(err)
	}
	return operations, skipped
}

// imported declares the operations in an empty project and reads it again.
func imported(t *testing.T, operations []openapi.Operation) *metadata.Metadata {
	t.Helper()
	dir := t.TempDir()
	var adds []metadata.Addition
	for _, op := range operations {
		adds = append(adds, op.Addition)
	}
	files, err := metadata.AddActions(dir, adds)
	if err != nil {
		t.Fatal(err)
	}
	if err := metadata.WriteFiles(dir, files); err != nil {
		t.Fatal(err)
	}
	md, err := metadata.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if problems := metadata.Validate(md, nil); len(problems) > 0 {
		t.Fatalf("%v in\n%s", problems, files[metadata.SDLFile])
	}
	return md
}

// seen is what the API was asked.
type seen struct {
	Method, URI, Type, Tenant, Key, Body string
}

// call is one request of GraphQL through a gateway whose handler is the API.
type call struct {
	query string
	// asked is what the API has to be asked, answer what it says.
	asked  seen
	status int
	answer string
	want   string
}

func TestOperationsThroughTheGateway(t *testing.T) {
	t.Parallel()
	const book = `{"id":"a/b","title":"T","format":"e-book","added":"2030-01-01T00:00:00Z","author":{"first-name":"Ann"},"co-authors":[{"first-name":"Bo"},{"first-name":"Cy","born":"1990-01-01"}]}`
	const bookFields = `{ id title format author { first_name born } co_authors { first_name } }`
	const gotBook = `{"id":"a/b","title":"T","format":"e-book","author":{"first_name":"Ann","born":null},"co_authors":[{"first_name":"Bo"},{"first_name":"Cy"}]}`
	calls := map[string]call{
		"a list of parameters": {
			query: `{ listBooks(X_Tenant: "t1", limit: 2, tag: ["a b", "c&d"]) { id title author { first_name } } }`,
			asked: seen{Method: "GET", URI: "/v1/books?limit=2&tag=a%20b&tag=c%26d", Tenant: "t1", Key: "k"}, answer: "[" + book + "]",
			want: `{"data":{"listBooks":[{"id":"a/b","title":"T","author":{"first_name":"Ann"}}]}}`,
		},
		"nothing optional": {
			query: `{ listBooks(X_Tenant: "t1", tag: [], sort: year) { id } }`,
			asked: seen{Method: "GET", URI: "/v1/books?sort=year", Tenant: "t1", Key: "k"}, answer: "[]", want: `{"data":{"listBooks":[]}}`,
		},
		"a body with other names": {
			query: `mutation { addBook(X_Tenant: "t1", body: {title: "T", author: {first_name: "Ann"}, co_authors: [{first_name: "Bo"}]}) ` + bookFields + ` }`,
			asked: seen{
				Method: "POST", URI: "/v1/books", Tenant: "t1", Key: "k", Type: "application/json",
				Body: `{"author":{"first-name":"Ann"},"co-authors":[{"first-name":"Bo"}],"title":"T"}`,
			},
			status: 201, answer: book, want: `{"data":{"addBook":` + gotBook + `}}`,
		},
		"a path": {
			query: `{ getBook(book_id: "a/b ü") ` + bookFields + ` }`,
			asked: seen{Method: "GET", URI: "/v1/books/a%2Fb%20%C3%BC", Key: "k"}, answer: book, want: `{"data":{"getBook":` + gotBook + `}}`,
		},
		"put": {
			query: `mutation { replaceBook(book_id: "7", body: {title: "T"}) { title } }`,
			asked: seen{Method: "PUT", URI: "/v1/books/7", Key: "k", Type: "application/json", Body: `{"title":"T"}`}, answer: book,
			want: `{"data":{"replaceBook":{"title":"T"}}}`,
		},
		"an operation without a name": {
			query: `mutation { patchBooksBookId(book_id: "7", body: {copies: null}) { title } }`,
			asked: seen{Method: "PATCH", URI: "/v1/books/7", Key: "k", Type: "application/json", Body: `{"copies":null}`}, answer: book,
			want: `{"data":{"patchBooksBookId":{"title":"T"}}}`,
		},
		"no content": {
			query: `mutation { removeBook(book_id: "7") }`, asked: seen{Method: "DELETE", URI: "/v1/books/7", Key: "k"}, status: 204,
			want: `{"data":{"removeBook":true}}`,
		},
		"two in a path": {
			query: `{ getPage(book_id: "x", page: 3) { text page_no } }`, asked: seen{Method: "GET", URI: "/v1/books/x/pages/3", Key: "k"},
			answer: `{"text":"a","page-no":3}`, want: `{"data":{"getPage":{"text":"a","page_no":3}}}`,
		},
		"a parameter with a blank": {
			query: `{ listReviews(book_id: "x", min_stars: 2.5) { stars text id } }`, asked: seen{Method: "GET", URI: "/v1/books/x/reviews?min%20stars=2.5", Key: "k"},
			answer: `[{"stars":3,"text":null,"id":1}]`, want: `{"data":{"listReviews":[{"stars":3,"text":null,"id":1}]}}`,
		},
		"what is read only is not asked for": {
			query:  `mutation { addReview(book_id: "x", body: {stars: 1}) { id } }`,
			asked:  seen{Method: "POST", URI: "/v1/books/x/reviews", Key: "k", Type: "application/json", Body: `{"stars":1}`},
			answer: `{"stars":1,"id":9}`, want: `{"data":{"addReview":{"id":9}}}`,
		},
		"an envelope": {
			query: `{ listMembers { next items { id e_mail } } }`, asked: seen{Method: "GET", URI: "/v1/members", Key: "k"},
			answer: `{"items":[{"id":9007199254740993,"name":"M","e-mail":"m@example.com"}]}`,
			want:   `{"data":{"listMembers":{"next":null,"items":[{"id":9007199254740993,"e_mail":"m@example.com"}]}}}`,
		},
		"a form": {
			query:  `mutation { addMember(body: {name: "M N", e_mail: "m@example.com"}) { name } }`,
			asked:  seen{Method: "POST", URI: "/v1/members", Key: "k", Type: "application/x-www-form-urlencoded", Body: "e-mail=m%40example.com&name=M%20N"},
			answer: `{"id":1,"name":"M N"}`, want: `{"data":{"addMember":{"name":"M N"}}}`,
		},
		"a big number": {
			query: `{ getMember(id: 12) { id } }`, asked: seen{Method: "GET", URI: "/v1/members/12", Key: "k"}, answer: `{"id":12,"name":"M"}`,
			want: `{"data":{"getMember":{"id":12}}}`,
		},
		"deleted": {
			query: `mutation { removeMember(id: 12) }`, asked: seen{Method: "DELETE", URI: "/v1/members/12", Key: "k"}, answer: "OK",
			want: `{"data":{"removeMember":true}}`,
		},
		"nested": {
			query: `{ listLoans(id: 1) { until book { author { first_name } } member { e_mail } } }`, asked: seen{Method: "GET", URI: "/v1/members/1/loans", Key: "k"},
			answer: `[{"book":` + book + `,"member":null}]`, want: `{"data":{"listLoans":[{"until":null,"book":{"author":{"first_name":"Ann"}},"member":null}]}}`,
		},
		"an object without a name": {
			query:  `mutation { lend(id: 1, body: {book: "b", until: "2030-01-01"}) { until } }`,
			asked:  seen{Method: "POST", URI: "/v1/members/1/loans", Key: "k", Type: "application/json", Body: `{"book":"b","until":"2030-01-01"}`},
			answer: `{"until":"2030-01-01"}`, want: `{"data":{"lend":{"until":"2030-01-01"}}}`,
		},
		"a choice of types": {
			query: `{ search(q: "x y", years: [1, 2]) }`, asked: seen{Method: "GET", URI: "/v1/search?q=x%20y&years=1&years=2", Key: "k"},
			answer: `{"any":[1]}`, want: `{"data":{"search":{"any":[1]}}}`,
		},
		"a type that contains itself": {
			query: `{ shelfTree { name shelves { name shelves { name } } } }`, asked: seen{Method: "GET", URI: "/v1/shelves", Key: "k"},
			answer: `{"name":"a","shelves":[{"name":"b","shelves":[]}]}`, want: `{"data":{"shelfTree":{"name":"a","shelves":[{"name":"b","shelves":[]}]}}}`,
		},
		"a free object": {query: `{ stats }`, asked: seen{Method: "GET", URI: "/v1/stats", Key: "k"}, answer: `{"a-b":1}`, want: `{"data":{"stats":{"a-b":1}}}`},
		"a scalar":      {query: `{ count }`, asked: seen{Method: "GET", URI: "/v1/count", Key: "k"}, answer: `7`, want: `{"data":{"count":7}}`},
		"an enum":       {query: `{ status }`, asked: seen{Method: "GET", URI: "/v1/status"}, answer: `"title"`, want: `{"data":{"status":"title"}}`},
		"a refusal": {
			query: `mutation { fail(body: {how: "x"}) }`, asked: seen{Method: "POST", URI: "/v1/fail", Key: "k", Type: "application/json", Body: `{"how":"x"}`},
			status: 422, answer: `{"error":{"message":"no such way"}}`,
			want: `{"errors":[{"message":"no such way","extensions":{"code":"api-error","status":422}}]}`,
		},
		"a refusal without words": {
			query: `mutation { fail }`, asked: seen{Method: "POST", URI: "/v1/fail", Key: "k", Type: "application/json", Body: `null`},
			status: 404, answer: `[]`,
			want: `{"errors":[{"message":"fail: the API refused the call","extensions":{"code":"api-error","status":404}}]}`,
		},
	}
	operations, _ := library(t, openapi.Options{Base: "{{LIBRARY}}/v1/"})
	md := imported(t, operations)
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, md)
		})
	}
}

func (c call) run(t *testing.T, md *metadata.Metadata) {
	t.Helper()
	var asked seen
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = seen{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("X-Tenant"), r.Header.Get("X-Api-Key"), string(body)}
		w.Header().Set("Content-Type", "application/json")
		if c.status != 0 {
			w.WriteHeader(c.status)
		}
		_, _ = io.WriteString(w, c.answer)
	}))
	defer api.Close()
	log := slog.New(slog.DiscardHandler)
	authenticator, err := auth.New(t.Context(), auth.Config{}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := gateway.New(gateway.Options{Auth: authenticator, Log: log, Lookup: func(name string) (string, bool) {
		v, ok := map[string]string{"API_KEY": "k", "LIBRARY": api.URL}[name]
		return v, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	if inconsistent, err := engine.Load(md); err != nil || len(inconsistent) > 0 {
		t.Fatalf("load: %v %v", inconsistent, err)
	}
	body, err := json.Marshal(map[string]string{"query": c.query})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	engine.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/graphql", strings.NewReader(string(body))))
	if c.asked.Body == "" && c.asked.Type == "" {
		asked.Type = "" // a request without a body may have one or none
	}
	if diff := cmp.Diff(c.asked, asked); diff != "" {
		t.Errorf("the API was asked (-want +got):\n%s", diff)
	}
	if got := strings.TrimSpace(w.Body.String()); got != c.want {
		t.Errorf("got  %s\nwant %s", got, c.want)
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	operations, skipped := library(t, openapi.Options{})
	if len(operations) < 20 {
		t.Errorf("%d operations", len(operations))
	}
	want := []openapi.Skipped{
		{Method: "POST", Path: "/covers", Reason: "it sends multipart/form-data"}, {Method: "GET", Path: "/report", Reason: "it answers text/csv"},
	}
	if diff := cmp.Diff(want, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	md := imported(t, operations)
	var list *metadata.Action
	for i := range md.Actions {
		if md.Actions[i].Name == "listBooks" {
			list = &md.Actions[i]
		}
	}
	wantSDL := `type Query {
  listBooks(
    """how many"""
    limit: Int
    tag: [String!]
    sort: Sort
    X_Tenant: String!
  ): [Book!]
}

type Person {
  first_name: String!
  born: date
}

type Book {
  title: String!
  id: String!
  added: timestamptz!
  author: Person
  co_authors: [Person!]
  format: String
}

enum Sort {
  title
  year
}
`
	got := metadata.SDLOf(md, list)
	if diff := cmp.Diff(wantSDL, strings.ReplaceAll(got, "  \"\"\"as printed\"\"\"\n", "")); diff != "" {
		t.Errorf("SDL (-want +got):\n%s", diff)
	}
	if list.Definition.Handler != "https://library.example.com/v1" || list.Comment != "All books" ||
		list.Definition.Headers[0] != (metadata.Header{Name: "X-Api-Key", ValueFromEnv: "API_KEY", Pos: list.Definition.Headers[0].Pos}) {
		t.Errorf("declared as %+v", list)
	}
}

func TestTwoDocumentsSideBySide(t *testing.T) {
	t.Parallel()
	operations, _ := library(t, openapi.Options{Prefix: "old", Base: "{{OLD_URL}}", Only: []string{"listBooks", "oldCount"}})
	more, _ := library(t, openapi.Options{})
	md := imported(t, append(operations, more...))
	if md.Actions[0].Name != "oldListBooks" || md.Actions[1].Name != "oldCount" || md.Actions[0].Definition.Headers[0].ValueFromEnv != "OLD_API_KEY" {
		t.Errorf("actions %+v", md.Actions[:2])
	}
}

func TestDocumentsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"openapi: 3.0.0\ninfo: [":                                                           "read the OpenAPI document: line 2: ",
		"openapi: 2.0\npaths: {}":                                                           "read the OpenAPI document: cannot unmarshal number into field T.openapi of type string",
		"{\"openapi\": 3, \"paths\": {}}":                                                   "read the OpenAPI document: cannot unmarshal number into field T.openapi of type string",
		"swagger: '2.0'\ninfo: {title: a, version: b}\npaths: {}":                           "not 3.x",
		"openapi: 3.0.0\ninfo: {title: a, version: b}\npaths: {}":                           "no paths",
		"openapi: 3.0.0\ninfo: {title: a, version: b}\npaths: {/a: {get: {responses: {}}}}": "does not say where the API is",

		"openapi: 3.0.0\nservers: [{url: /v1}]\ninfo: {title: a, version: b}\npaths: {/a: {get: {responses: {}}}}":        "does not say where the API is",
		"openapi: 3.0.0\ninfo: {title: a, version: b}\npaths: {/a: {get: {responses: {'200': {$ref: 'other.yaml#/x'}}}}}": "read the OpenAPI document",
	} {
		_, _, err := openapi.Convert([]byte(text), openapi.Options{Source: "a.yaml"})
		if !errors.Is(err, errdefs.ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "a.yaml: ") {
			t.Errorf("%s:\ngot %v, want %s", text, err, want)
		}
	}
}
