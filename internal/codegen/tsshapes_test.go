package codegen

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/templates"
)

// tsShapes are SDLs that only TypeScript code has to cope with.
var tsShapes = map[string]string{
	"mutual input":  `input A { b: B! bs: [B!]! } input B { a: A c: C! } input C { b: B! } type Query { q(a: A!, c: C!): Int }`,
	"names of Nest": `type Post { id: ID! } type Body { a: Int } type Call { a: Int } type Query { post: Post body: [Body!]! call: Call }`,
	"built-in names": `input Object { a: Array! } input Array { b: Number } enum Number { A } type Promise { m: [Map!]! } type Map { a: Int }
		type Query { object(o: Object!): Promise array(a: [Array!]!): [Promise] }`,
	"types of the language": `input string { a: Int } type any { a: Int } enum never { A } type class { a: Int }
		type Query { a(s: string, n: never): any b: class }`,
	"hooks and odd actions": `type Query { onModuleInit: Int constructor: Int then: Int delete: Int user: Int verifyEmail: Int _a: Int }`,
	"null in lists":         `input I { a: Int } enum E { A } type Query { a(i: [I], e: [[E]!], n: [bigint!], j: [jsonb], s: [String]!): Int }`,
	"names in lists":        `type A_very_long_name_of_an_answer { a: Int } type Query { anActionWithAVeryLongNameThatDoesNotFitInOneLine: A_very_long_name_of_an_answer! }`,
	"answer constructor":    `type T { constructor: String toString: String } type Query { a: T }`,
}

func generateTS(t *testing.T, sdl string) map[string][]byte {
	t.Helper()
	actions, types := parse(t, sdl)
	g, err := NewTS(TSInput{Dir: "functions/nestjs", Actions: actions, Types: types})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	if files[TSTypesFile], err = g.Types(); err != nil {
		t.Fatal(err)
	}
	if files[TSActionsFile], err = g.Actions(); err != nil {
		t.Fatal(err)
	}
	for _, a := range actions {
		code, test, err := g.Stub(a.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[TSFile(a.Name)], files[TSTestFile(a.Name)] = code, test
	}
	return files
}

// Every shape is compiled with the template's own options, together with the modules of the template that it imports;
// its classes are loaded, its stubs called and held against the template's format.
func TestTSShapesCompile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it installs packages")
	}
	modules := testneeds.NodeModules(t)
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
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "tsconfig.json", ".prettierrc", ".prettierignore"} {
		data, err := templates.FS.ReadFile("nestjs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		write(name, data)
	}
	write("tsconfig.all.json", []byte(`{"extends": "./tsconfig.json", "include": ["src"], "compilerOptions": {"rootDir": "src"}}`))
	for _, module := range []string{"action-call", "action-error", "arguments.pipe", "body", "session", "validators"} {
		data, err := templates.FS.ReadFile("nestjs/src/common/" + module + ".ts")
		if err != nil {
			t.Fatal(err)
		}
		write("src/common/"+module+".ts", data)
	}
	write("check.js", []byte(tsCheck))
	all := allShapes()
	i := 0
	for name, sdl := range sorted(all) {
		i++
		for file, code := range generateTS(t, sdl) {
			write(fmt.Sprintf("src/s%02d/%s", i, path.Base(file)), code)
		}
		write(fmt.Sprintf("src/s%02d/shape.ts", i), fmt.Appendf(nil, "export const shape = %s;\n", tsString(name)))
	}
	for _, args := range [][]string{
		{filepath.Join(modules, "typescript/bin/tsc"), "--project", "tsconfig.all.json"},
		{"check.js"},
		{filepath.Join(modules, "prettier/bin/prettier.cjs"), "--check", "src"},
	} {
		cmd := exec.CommandContext(context.Background(), "node", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// tsCheck loads every shape, because decorators run only then, and calls every stub.
const tsCheck = `require('reflect-metadata');
const assert = require('node:assert');
const fs = require('node:fs');
const { Test } = require('@nestjs/testing');
const { decode } = require('./dist/common/arguments.pipe');

async function check(dir) {
  const { actions, controllers, providers } = require(dir + '/actions.gen');
  const types = require(dir + '/types.gen');
  const module = await Test.createTestingModule({ controllers, providers }).compile();
  assert.equal(controllers.length, actions.length);
  for (const controller of controllers) {
    const [method] = Object.getOwnPropertyNames(controller.prototype).filter((name) => name !== 'constructor');
    const call = { action: actions[0], session: {}, query: '' };
    await assert.rejects(module.get(controller)[method]({}, call), { code: 'NOT_IMPLEMENTED' });
  }
  const args = Object.entries(types).filter(([name, type]) => name.endsWith('Args') && typeof type === 'function');
  for (const [name, type] of args) {
    new type();
    assert.throws(() => decode(type, []), { message: 'input must not be a JSON array' }, name);
  }
}

(async () => {
  for (const name of fs.readdirSync('dist').filter((entry) => /^s\d+$/.test(entry))) {
    const { shape } = require('./dist/' + name + '/shape');
    await check('./dist/' + name).catch((error) => {
      console.error(shape, error);
      process.exitCode = 1;
    });
  }
})();
`

func TestTSTypes(t *testing.T) {
	t.Parallel()
	got := string(generateTS(t, `
		enum State { OPEN "paid */ in full" PAID }
		input Line { "what is sold" sku: String! amount: numeric note: String parent: Line tags: [String!] }
		type Invoice { id: uuid! state: State lines: [InvoiceLine!]! extra: jsonb }
		type InvoiceLine { sku: String! amounts: [bigint] }
		type Mutation { createInvoice(lines: [Line!]!, grid: [[Int]!]!, state: State!): Invoice! }`)[TSTypesFile])
	want := `// Code generated by nself. DO NOT EDIT.

import { Type } from 'class-transformer';
import { IsArray, IsEnum, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';

import { Arguments, Items } from '../common/arguments.pipe';
import { IsList, IsNumeric, isWhole } from '../common/validators';

/** The GraphQL enum State. */
export enum State {
  OPEN = 'OPEN',
  /** paid *\/ in full */
  PAID = 'PAID',
}

/** The GraphQL input type Line. */
export class Line {
  /** what is sold */
  @IsString()
  sku: string = '';

  @IsOptional()
  @IsNumeric()
  amount: number | string | null = null;

  @IsOptional()
  @IsString()
  note: string | null = null;

  @IsOptional()
  @IsObject()
  @Type(() => Line)
  @ValidateNested()
  parent: Later<Line> | null = null;

  @IsOptional()
  @IsArray()
  @IsString({ each: true })
  tags: string[] | null = null;
}

/** The GraphQL type Invoice. */
export interface Invoice {
  id: string;
  state: State | null;
  lines: InvoiceLine[];
  extra: unknown;
}

/** The GraphQL type InvoiceLine. */
export interface InvoiceLine {
  sku: string;
  amounts: (number | string | null)[] | null;
}

/** The arguments of the action createInvoice. */
@Arguments()
export class CreateInvoiceArgs {
  @IsArray()
  @IsObject({ each: true })
  @Items(() => Line)
  @ValidateNested({ each: true })
  lines: Line[] = [];

  @IsList('[[Int]!]!', isWhole)
  grid: (number | null)[][] = [];

  @IsEnum(State, { message: '"$value" is not a value of State' })
  state!: State;
}

/** A class that is made further down: decorators cannot look at it yet. */
type Later<T> = T;
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTSActions(t *testing.T) {
	t.Parallel()
	actions, types := parse(t, `type Mutation { registerUser: Int createInvoice: Int }`)
	actions[0].Definition.Handler = "{{NESTJS_URL}}/actions/sign-up"
	g, err := NewTS(TSInput{Actions: actions, Types: types, Implemented: map[string]TSImplementation{
		"registerUser": {
			Controllers: []TSClass{{"UserController", "./user.controller"}},
			Providers:   []TSClass{{"UserService", "./user.service"}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	code, err := g.Actions()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"import { CreateInvoiceController } from './create-invoice.controller';\nimport { UserController } from './user.controller';\n",
		"  { name: 'registerUser', path: 'sign-up' },\n  { name: 'createInvoice', path: 'create-invoice' },\n",
		"controllers: Type[] = [\n  UserController,\n  CreateInvoiceController,\n];", "providers: Provider[] = [\n  UserService,\n];",
	} {
		if !strings.Contains(string(code), want) {
			t.Errorf("%q is not in\n%s", want, code)
		}
	}
}

func TestTSFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"createInvoice", "src/actions/create-invoice.controller.ts", "CreateInvoiceController"},
		{"user", "src/actions/user-action.controller.ts", "UserActionController"},
		{"verifyEmail", "src/actions/verify-email-action.controller.ts", "VerifyEmailActionController"},
		{"HTTPServer", "src/actions/http-server.controller.ts", "HttpServerController"},
		{"_", "src/actions/action.controller.ts", "ActionController"},
		{"_2fa", "src/actions/2fa.controller.ts", "Action2faController"},
	} {
		if got := [2]string{TSFile(tt[0]), TSController(tt[0])}; got != [2]string{tt[1], tt[2]} {
			t.Errorf("%s: got %q", tt[0], got)
		}
	}
}

func TestNewTSRefuses(t *testing.T) {
	t.Parallel()
	for want, sdl := range map[string]string{
		`actions "fooBar" and "foo_bar" would both be in src/actions/foo-bar.controller.ts`: `type Query { fooBar: Int foo_bar: Int }`,
		`actions.graphql:1: type "I": field "constructor"`:                                  `input I { constructor: Int } type Query { a(i: I): Int }`,
		`field "toString"`:       `input I { toString: Int } type Query { a(i: I): Int }`,
		`argument "constructor"`: `type Query { a(constructor: Int): Int }`,
	} {
		actions, types := parse(t, sdl)
		_, err := NewTS(TSInput{Actions: actions, Types: types})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The lists of names would lose one that is misspelt without a word.
func TestTSTakenNamesAreImported(t *testing.T) {
	t.Parallel()
	validators, err := templates.FS.ReadFile("nestjs/src/common/validators.ts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(validators), "\n") {
		if rest, ok := strings.CutPrefix(line, "export function "); ok {
			name, _, _ := strings.Cut(rest, "(")
			if !slices.Contains(tsTaken, name) {
				t.Errorf("%s is exported by validators.ts, and a type could take its name", name)
			}
		}
	}
}
