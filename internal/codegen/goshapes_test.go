package codegen

import (
	"bytes"
	"context"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/templates"
)

// shapes are SDLs that generated code has to cope with.
var shapes = map[string]string{
	"empty":           ``,
	"no arguments":    `type Query { ping: String! }`,
	"scalars":         `type Query { a(i: Int!, f: Float, s: String!, b: Boolean, id: ID!): Int! }`,
	"nullable scalar": `type Query { a: Int b: Float c: String d: Boolean e: ID }`,
	"non-null scalar": `type Query { a: Int! b: Float! c: String! d: Boolean! e: ID! }`,
	"postgres scalar": `type Query { a(x: uuid!, y: jsonb, z: timestamptz!): bigint! b(n: numeric): numeric c: jsonb! }`,
	"custom scalars":  `scalar Money scalar UUID scalar JSON type Query { a(m: Money!, u: UUID!): Money b: UUID! c: JSON }`,
	"unknown scalar":  `type Query { a(g: geometry!): geography }`,
	"lists":           `type Query { a(x: [Int!]!, y: [String], z: [ID!]): [String!]! b: [Int] c: [Float!] }`,
	"nested lists":    `type Query { a(x: [[Int!]!]!, y: [[[String]]]): [[Boolean!]]! }`,
	"object lists":    `type T { a: Int } type Query { a: [T!]! b: [T] c: [[T!]!] }`,
	"non-null object": `type T { a: Int! } type Query { a: T! }`,
	"marshal lists":   `type T { a: [Int!]! b: [[T!]!]! c: [E!]! d: [T] } enum E { A } type Query { a: T }`,
	"input and output": `input I { a: String! b: J } input J { c: [K!] } input K { d: Int }
		type O { p: P! } type P { q: [O!]! } type Mutation { m(i: I!, j: [J!]): O }`,
	"recursive input":     `input Tree { name: String! children: [Tree!] parent: Tree } type Query { a(t: Tree!): Int }`,
	"recursive output":    `type A { b: B! } type B { c: C! } type C { a: A! d: D! } type D { x: Int } type Query { a: A! }`,
	"self":                `type A { self: A! list: [A!]! } type Query { a: A }`,
	"enum":                `enum E { A_B aB C1 _X TYPE } type Query { a(e: E!, f: E, g: [E!]): E! b: E c: [E] }`,
	"enum and type clash": `enum Status { CODE } type StatusCode { s: Status } type Query { a: StatusCode }`,
	"reserved words": `input Type { type: String! func: Int range: Int map: [Type!] _: Int string: String error: String nil: Int }
		type Query { go(type: Type!, func: Int!, package: String): String }`,
	"field clash":       `type T { user_id: Int userId: Int UserID: Int user_id2: Int } type Query { a(x_y: Int, xY: Int): T }`,
	"type clash":        `type user { a: Int } type User { b: Int } type Query { a: user b: User }`,
	"names of ours":     `type Deps { a: Int } type All { a: Int } type Query { a: Deps b: All }`,
	"type like action":  `type Invoice { a: Int } type InvoiceArgs { b: Int } type NewInvoice { c: Int } type TestInvoice { d: Int } type InvoiceHandler { e: Int } type Query { invoice: Invoice b: InvoiceArgs c: NewInvoice d: TestInvoice e: InvoiceHandler }`,
	"method like field": `type T { marshalJSON: [Int!]! marshal_json: Int valid: Boolean } type Query { a: T }`,
	"descriptions": `
		"""
		A thing. */ //go:build ignore

		  * with a list
		# and a heading

		    code
		"""
		input T { "what json.Number fmt. is" a: Int """two
		lines""" b: Int }
		enum E { "old" A @deprecated B }
		type Query { a("the thing" t: T!): E }`,
	"initialisms":   `input ApiUrl { http_url: String user_ids: [ID!] htmlBody: String } type Query { getApiUrl(id: ID!, a: ApiUrl): ID }`,
	"unused types":  `type Used { a: Int } type Unused { b: bigint c: [Int!]! } enum Gone { A } type Query { a: Used }`,
	"odd files":     `type Query { checkLinux: Int runTest: Int deps: Int typesGen: Int }`,
	"json in stub":  `type Query { a: bigint! b: [bigint!]! c: numeric }`,
	"input default": `input I { a: Boolean = false n: Int! = 5 } type Mutation { a(i: I!): Boolean }`,
}

func generate(t *testing.T, module, sdl string) map[string][]byte {
	t.Helper()
	actions, types := parse(t, sdl)
	g, err := NewGo(GoInput{Module: module, Dir: "functions/golang", Actions: actions, Types: types})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	if files[GoTypesFile], err = g.Types(); err != nil {
		t.Fatal(err)
	}
	if files[GoActionsFile], err = g.Actions(); err != nil {
		t.Fatal(err)
	}
	for _, a := range actions {
		code, test, err := g.Stub(a.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[GoFile(a.Name)], files[GoTestFile(a.Name)] = code, test
	}
	return files
}

// Every shape is a service of its own; all are vetted, built and tested at once, in one module.
func TestGoShapesCompile(t *testing.T) {
	t.Parallel()
	const module = "example.test/shapes"
	dir := t.TempDir()
	write := func(name string, data []byte) {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Only the package action is shared; Deps is all that a handler needs beside it.
	write("go.mod", []byte("module "+module+"\n\ngo 1.26.0\n"))
	for _, name := range []string{"action.go", "call.go", "error.go", "session.go"} {
		data, err := templates.FS.ReadFile("golang/internal/action/" + name)
		if err != nil {
			t.Fatal(err)
		}
		write("internal/action/"+name, data)
	}
	i := 0
	for name, sdl := range sorted(allShapes()) {
		i++
		folder := fmt.Sprintf("s%02d/", i)
		write(folder+"actions/deps.go", []byte("// Package actions is the shape: "+name+"\npackage actions\n\n"+
			"import \"log/slog\"\n\ntype Deps struct{ Log *slog.Logger }\n"))
		for file, code := range generate(t, module, sdl) {
			if again, err := format.Source(code); err != nil || !bytes.Equal(again, code) {
				t.Errorf("%s: %s is not as gofmt writes it: %v\n%s", name, file, err, cmp.Diff(string(code), string(again)))
			}
			write(folder+file, code)
		}
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.CommandContext(context.Background(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestGoTypes(t *testing.T) {
	t.Parallel()
	got := string(generate(t, "m", `
		enum State { OPEN PAID }
		input Line { sku: String! amount: numeric note: String }
		type Invoice { id: uuid! state: State lines: [InvoiceLine!]! }
		type InvoiceLine { sku: String! invoice: Invoice! }
		type Mutation { createInvoice(lines: [Line!]!): Invoice! }`)[GoTypesFile])
	want := `// Code generated by nself. DO NOT EDIT.

package actions

import (
	"encoding/json"
	"fmt"
)

// CreateInvoiceArgs are the arguments of the action createInvoice.
type CreateInvoiceArgs struct {
	Lines []Line ` + "`json:\"lines\"`" + `
}

// Invoice is the GraphQL type Invoice.
type Invoice struct {
	ID    string        ` + "`json:\"id\"`" + `
	State *State        ` + "`json:\"state\"`" + `
	Lines []InvoiceLine ` + "`json:\"lines\"`" + `
}

// MarshalJSON writes a nil list as an empty one where GraphQL does not allow null.
func (v Invoice) MarshalJSON() ([]byte, error) {
	if v.Lines == nil {
		v.Lines = []InvoiceLine{}
	}
	type plain Invoice
	return json.Marshal(plain(v))
}

// InvoiceLine is the GraphQL type InvoiceLine.
type InvoiceLine struct {
	Sku     string  ` + "`json:\"sku\"`" + `
	Invoice Invoice ` + "`json:\"invoice\"`" + `
}

// Line is the GraphQL input type Line.
type Line struct {
	Sku    string       ` + "`json:\"sku\"`" + `
	Amount *json.Number ` + "`json:\"amount\"`" + `
	Note   *string      ` + "`json:\"note\"`" + `
}

// State is the GraphQL enum State.
type State string

// The values of State.
const (
	StateOpen State = "OPEN"
	StatePaid State = "PAID"
)

// Valid says whether v is one of the values above.
func (v State) Valid() bool {
	switch v {
	case StateOpen,
		StatePaid:
		return true
	}
	return false
}

// UnmarshalText accepts the values above and nothing else.
func (v *State) UnmarshalText(text []byte) error {
	if !State(text).Valid() {
		return fmt.Errorf("%q is not a value of State", text)
	}
	*v = State(text)
	return nil
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
