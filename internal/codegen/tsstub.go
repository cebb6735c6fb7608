package codegen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// tsMethodTaken are names that a controller's method cannot have without being called by others too.
var tsMethodTaken = []string{
	"constructor", "then", "onModuleInit", "onApplicationBootstrap", "onModuleDestroy", "beforeApplicationShutdown",
	"onApplicationShutdown",
}

// tsStubTaken are the names that a stub imports beside the types.
var tsStubTaken = []string{"ActionCall", "ActionError", "Body", "Call", "Controller", "Post", "Test"}

// Stub returns a controller to start from, for the action of that name, and its test. The controller compiles and answers
// that it is not implemented yet, naming the file to edit; the test runs it.
func (g *TS) Stub(action string) (code, test []byte, err error) {
	for _, a := range g.actions {
		if a.Name == action {
			return g.stub(a), g.stubTest(a), nil
		}
	}
	return nil, nil, fmt.Errorf("generate TypeScript code: action %q is not among the input", action)
}

func tsMethod(action string) string {
	if slices.Contains(tsMethodTaken, action) {
		return "handle"
	}
	return action
}

func (g *TS) stub(a tsAction) []byte {
	w := &tsWriter{}
	imports := []string{a.args}
	out := g.types.of(a.out)
	if base := a.out.Base(); g.types.names[base] != "" {
		name := g.types.names[base]
		imported := "type " + name
		if slices.Contains(tsStubTaken, name) || name == TSController(a.Name) {
			imported += " as " + name + "Type"
			out = strings.Replace(out, name, name+"Type", 1)
		}
		imports = append(imports, imported)
	}
	list := strings.Join(imports, ", ")
	if line := "import { " + list + " } from './types.gen';"; len(line) > tsWidth {
		list = "\n  " + strings.Join(imports, ",\n  ") + ",\n"
	} else {
		list = " " + list + " "
	}
	fmt.Fprintf(w, `import { Body, Controller, Post } from '@nestjs/common';

import { type ActionCall, Call } from '../common/action-call';
import { ActionError } from '../common/action-error';
import {%s} from './types.gen';

`, list)
	w.describe("Implements the action "+a.Name+".", a.Comment)
	signature := fmt.Sprintf("  async %s(@Body() args: %s, @Call() call: ActionCall): Promise<%s> {", tsMethod(a.Name), a.args, out)
	if len(signature) > tsWidth {
		signature = fmt.Sprintf("  async %s(\n    @Body() args: %s,\n    @Call() call: ActionCall,\n  ): Promise<%s> {",
			tsMethod(a.Name), a.args, out)
	}
	refuse := fmt.Sprintf("    throw ActionError.notImplemented(call.action.name, %s);", tsString(g.in.Dir+"/"+TSFile(a.Name)))
	if len(refuse) > tsWidth {
		refuse = fmt.Sprintf("    throw ActionError.notImplemented(\n      call.action.name,\n      %s,\n    );",
			tsString(g.in.Dir+"/"+TSFile(a.Name)))
	}
	fmt.Fprintf(w, `@Controller('actions')
export class %s {
  /**
   * Answers one call. args holds the arguments, call.session tells who calls. A business rule that fails is an answer; an
   * ActionError becomes a GraphQL error; any other error is logged and hidden from the caller.
   */
  @Post(%s)
%s
%s
  }
}
`, TSController(a.Name), tsString(Path(a.Action)), signature, refuse)
	return w.Bytes()
}

// tsWidth is the longest line, as the template's formatter has it.
const tsWidth = 120

func (g *TS) stubTest(a tsAction) []byte {
	var b bytes.Buffer
	controller := TSController(a.Name)
	action := fmt.Sprintf("{ name: %s, path: %s }", tsString(a.Name), tsString(Path(a.Action)))
	call := fmt.Sprintf("    const call = { action: %s, session: new Session('', '', {}), query: '' };", action)
	if len(call) > tsWidth {
		if len("      action: "+action+",") > tsWidth {
			action = fmt.Sprintf("{\n        name: %s,\n        path: %s,\n      }", tsString(a.Name), tsString(Path(a.Action)))
		}
		call = fmt.Sprintf("    const call = {\n      action: %s,\n      session: new Session('', '', {}),\n      query: '',\n    };", action)
	}
	answer := fmt.Sprintf("    const answer = controller.%s(new %s(), call);", tsMethod(a.Name), a.args)
	if len(answer) > tsWidth {
		answer = fmt.Sprintf("    const answer = controller.%s(\n      new %s(),\n      call,\n    );", tsMethod(a.Name), a.args)
	}
	module := "    const module = await Test.createTestingModule({ controllers: [" + controller + "] }).compile();"
	if len(module) > tsWidth {
		module = "    const module = await Test.createTestingModule({\n      controllers: [" + controller + "],\n    }).compile();"
	}
	fmt.Fprintf(&b, `import { Test } from '@nestjs/testing';

import { Code } from '../common/action-error';
import { Session } from '../common/session';
import { %[1]s } from './%[2]s.controller';
import { %[3]s } from './types.gen';

describe('%[1]s', () => {
  // What the controller does now: nothing. Replace it along with the controller.
  it('says that it is not implemented', async () => {
%[6]s
    const controller = module.get(%[1]s);
%[4]s
%[5]s
    await expect(answer).rejects.toMatchObject({ code: Code.notImplemented });
  });
});
`, controller, tsBase(a.Name), a.args, call, answer, module)
	return b.Bytes()
}
