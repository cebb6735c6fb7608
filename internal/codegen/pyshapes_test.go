package codegen

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/pytools"
	"github.com/nself-org/nself/templates"
)

// pyShapes are SDLs that are hard on Python alone; those that are hard on Go are tried too.
var pyShapes = map[string]string{
	"keywords": `input I { class: String! from: Int lambda: [I!] None: Boolean str: String list: [String!] int: Int! typing: Int }
		type O { pass: String! import: [O!]! def: Int } type Query { class(in: I!, is: Int): O yield: Int try: Boolean }`,
	"model attributes": `input I { json: String! copy: Int model_dump: Int schema: String model_fields: Int model_name: String }
		type O { dict: Int! validate: String } type Query { a(i: I!): O }`,
	"private names":    `input I { _id: ID! id: ID! __x: Int _1: Int _: Int id_: Int } type O { _id: ID! } type Query { a(i: I!): O! }`,
	"field like class": `input Line { Line: Line Args: Int AArgs: Int } type Query { a(Line: Line!): Int }`,
	"enum members":     `enum E { name value mro title A_B aB _x _1 None count } type Query { a(e: E! = name): E! }`,
	"class names":      `type None { a: Int } type Input { b: None } enum Enum { A } type Query { a: None b: Input c: Enum d: [Input!]! }`,
	"module names":     `type Query { import: Int deps: Int verifyEmail: Int _1: Int typesGen: Int class_: String }`,
	"docstring escapes": `"""
		C:\new \""" end
		"quoted"
		"""
		type T { "\"quoted\"" a: Int "back\\" b: Int } type Query { a: T }`,
	"long names": `type SubscriptionRenewalReminderResult { a: Int } input SubscriptionRenewalReminderRequest { a: Int }
		type Query { scheduleSubscriptionRenewalReminder(input: SubscriptionRenewalReminderRequest!): [SubscriptionRenewalReminderResult!]
			scheduleSubscriptionReminder(a: Int): SubscriptionRenewalReminderResult!
			scheduleSubscriptions(a: Int): SubscriptionRenewalReminderResult scheduleMany(a: Int): [[Int!]] }`,
}

// pyFiles generates what a project with this SDL gets.
func pyFiles(t *testing.T, sdl string) map[string][]byte {
	t.Helper()
	actions, types := parse(t, sdl)
	p, err := NewPy(PyInput{Dir: "functions/python", Actions: actions, Types: types})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{PyTypesFile: p.Types(), PyActionsFile: p.Actions()}
	for _, a := range actions {
		code, test, err := p.Stub(a.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[PyFile(a.Name)], files[PyTestFile(a.Name)] = code, test
	}
	return files
}

// importShapes builds the actions of every shape, and looks at every model.
const importShapes = `
import importlib, sys
import pydantic
for name in sys.argv[1:]:
    importlib.import_module(name + ".actions.actions_gen").all_actions(None)
    for attribute, value in vars(importlib.import_module(name + ".actions.types_gen")).items():
        if isinstance(value, type) and issubclass(value, pydantic.BaseModel):
            assert value.__pydantic_complete__, f"{name}: {attribute} is not complete"
`

// Every shape is linted as a service of its own. All are then checked for types, loaded and tested as packages of one
// tree, because each run of the tools takes seconds.
func TestPyShapes(t *testing.T) {
	t.Parallel()
	python := pytools.Python(t)
	apart, together := t.TempDir(), t.TempDir()
	write := func(data []byte, elem ...string) {
		p := filepath.Join(elem...)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shared := func(name string) []byte {
		data, err := templates.FS.ReadFile("python/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	write(shared("pyproject.toml"), together, "pyproject.toml")
	for _, name := range []string{"__init__", "action", "calls", "errors", "graphql", "session"} {
		write(shared("service/"+name+".py"), together, "service", name+".py")
	}
	all := allShapes()
	var packages []string
	for name, sdl := range sorted(all) {
		pkg := fmt.Sprintf("s%02d", len(packages))
		packages = append(packages, pkg)
		write(shared("pyproject.toml"), apart, pkg, "pyproject.toml")
		write([]byte("# "+name+"\n"), together, pkg, "__init__.py")
		write(nil, together, pkg, "tests", "__init__.py")
		write(nil, together, pkg, "actions", "__init__.py")
		write([]byte("class Deps:\n    pass\n"), together, pkg, "actions", "deps.py")
		write([]byte("import pytest\n\nfrom "+pkg+".actions.deps import Deps\n\n\n"+
			"@pytest.fixture\ndef deps() -> Deps:\n    return Deps()\n"), together, pkg, "tests", "conftest.py")
		for file, code := range pyFiles(t, sdl) {
			write(code, apart, pkg, filepath.FromSlash(file))
			code = bytes.ReplaceAll(code, []byte("\nfrom actions"), []byte("\nfrom "+pkg+".actions"))
			write(code, together, pkg, filepath.FromSlash(file))
		}
	}
	pytools.Run(t, apart, python, "-m", "ruff", "check", "--no-cache", "--quiet", ".")
	pytools.Run(t, apart, python, "-m", "ruff", "format", "--no-cache", "--diff", "--quiet", ".")
	pytools.Run(t, together, python, append([]string{"-W", "error", "-c", importShapes}, packages...)...)
	args := []string{"-m", "mypy", "--no-incremental"}
	for _, pkg := range packages {
		args = append(args, "-p", pkg)
	}
	pytools.Run(t, together, python, args...)
	pytools.Run(t, together, python, append([]string{"-m", "pytest", "-p", "no:cacheprovider"}, packages...)...)
}

func TestPyTypes(t *testing.T) {
	t.Parallel()
	got := string(pyFiles(t, `
		enum State { OPEN "settled" PAID }
		input Line { sku: String! amount: numeric class: String tags: [[String!]!] }
		type Invoice { id: uuid! state: State lines: [InvoiceLine!]! meta: jsonb }
		type InvoiceLine { sku: String! invoice: Invoice! }
		type Mutation { createInvoice(lines: [Line!]!): Invoice! }`)[PyTypesFile])
	want := `# Code generated by nself. DO NOT EDIT.
"""The GraphQL types of the actions."""

from __future__ import annotations

import typing

import pydantic

from service import graphql


class State(graphql.Enum):
    """The GraphQL enum State."""

    OPEN = "OPEN"
    PAID = "PAID"
    """settled"""


class CreateInvoiceArgs(graphql.Input):
    """The arguments of the action createInvoice."""

    lines: list[Line]


class Invoice(graphql.Output):
    """The GraphQL type Invoice."""

    id: str
    state: State | None = None
    lines: list[InvoiceLine]
    meta: typing.Any = None


class InvoiceLine(graphql.Output):
    """The GraphQL type InvoiceLine."""

    sku: str
    invoice: Invoice


class Line(graphql.Input):
    """The GraphQL input type Line."""

    sku: str
    amount: graphql.Numeric | None = None
    class_: str | None = pydantic.Field(default=None, validation_alias="class", serialization_alias="class")
    tags: list[list[str]] | None = None


CreateInvoiceArgs.model_rebuild()
Invoice.model_rebuild()
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPyFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"registerUser", "actions/register_user.py", "tests/test_register_user.py"},
		{"import", "actions/import_action.py", "tests/test_import_action.py"},
		{"verifyEmail", "actions/verify_email_action.py", "tests/test_verify_email_action.py"},
		{"_1", "actions/action_1.py", "tests/test_action_1.py"},
		{"_", "actions/action.py", "tests/test_action.py"},
	} {
		if got := [2]string{PyFile(tt[0]), PyTestFile(tt[0])}; got != [2]string{tt[1], tt[2]} {
			t.Errorf("%s: got %q", tt[0], got)
		}
	}
}

// A handler may be in a module that is named otherwise than its action.
func TestPyModules(t *testing.T) {
	t.Parallel()
	actions, types := parse(t, `type Mutation { processPayment: Int registerUser: Int }`)
	py, err := NewPy(PyInput{Actions: actions, Types: types, Modules: map[string]string{"processPayment": "payment"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nfrom actions.payment import ProcessPaymentHandler\n", "\nfrom actions.register_user import RegisterUserHandler\n",
	} {
		if got := string(py.Actions()); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestNewPyRefuses(t *testing.T) {
	t.Parallel()
	for _, sdl := range []string{`type Query { fooBar: Int foo_bar: Int }`} {
		actions, types := parse(t, sdl)
		_, err := NewPy(PyInput{Actions: actions, Types: types})
		if err == nil || !strings.Contains(err.Error(), "would both be in actions/foo_bar.py") {
			t.Errorf("got %v", err)
		}
	}
}
