package codegen

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Stub returns a handler to start from, for the action of that name, and its test. The handler answers that it is not
// implemented yet, naming the file to edit; the test runs it.
func (p *Py) Stub(action string) (code, test []byte, err error) {
	for _, a := range p.actions {
		if a.Name == action {
			return p.stub(a), p.stubTest(a), nil
		}
	}
	return nil, nil, fmt.Errorf("generate Python code: action %q is not among the input", action)
}

func (p *Py) stub(a pyAction) []byte {
	var b bytes.Buffer
	out := p.types.outside(a.output)
	fmt.Fprintf(&b, "\"\"\"The action %s.\"\"\"\n\nfrom __future__ import annotations\n\n", a.Name)
	if out.decimal {
		b.WriteString("from decimal import Decimal\n")
	}
	if out.any {
		b.WriteString("from typing import Any\n")
	}
	if out.decimal || out.any {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, `from actions import types_gen as types
from actions.deps import Deps
from service import errors
from service.action import Request


class %[1]sHandler:
`, a.name)
	writeDocstring(&b, "Implements the action "+a.Name+".", wrapText(a.Comment, pyLine-8))
	fmt.Fprintf(&b, `
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

%[1]s
        """Answer one call. req.args holds the arguments, req.session tells who calls.

        A business rule that fails is an answer; an ActionError becomes a GraphQL error; any other exception is logged
        and hidden from the caller.
        """
%[2]s
`, signature(a.args.name, out.text), pyAssign("        raise errors.not_implemented", "req.action", strconv.Quote(p.in.Dir+"/"+PyFile(a.Name))))
	return b.Bytes()
}

func (p *Py) stubTest(a pyAction) []byte {
	imports := []string{
		"from actions.deps import Deps", pyImport("actions."+pyModule(a.Name), a.name+"Handler"),
	}
	slices.Sort(imports)
	return fmt.Appendf(nil, `"""What the action %[1]s promises."""

from __future__ import annotations

import pytest

from actions import types_gen as types
%[5]s
from service import errors
from service.action import Request


def test_%[2]s(deps: Deps) -> None:
    """The handler does nothing yet. Replace this along with it."""
    handler = %[3]sHandler(deps)
%[4]s
    with pytest.raises(errors.ActionError) as caught:
        handler.handle(req)
    assert caught.value.code == errors.NOT_IMPLEMENTED
`, a.Name, pyModule(a.Name), a.name,
		pyAssign("    req = Request", strconv.Quote(a.Name), "types."+a.args.name+".model_construct()"),
		strings.Join(imports, "\n"))
}

// signature is the head of the method handle, with the line breaks of ruff's formatter.
func signature(args, out string) string {
	s := fmt.Sprintf("    def handle(self, req: Request[types.%s]) -> %s:", args, out)
	if len(s) <= pyLine {
		return s
	}
	return fmt.Sprintf("    def handle(\n        self, req: Request[types.%s]\n    ) -> %s:", args, out)
}

// wrapText breaks long lines of a text between words.
func wrapText(text string, width int) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		at := 0
		for word := range strings.FieldsSeq(line) {
			switch {
			case at == 0:
			case at+1+len(word) > width:
				b.WriteString("\n")
				at = 0
			default:
				b.WriteString(" ")
				at++
			}
			b.WriteString(word)
			at += len(word)
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String())
}
