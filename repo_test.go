package nself

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nself-org/nself"

type goPackage struct {
	ImportPath string
	Doc        string
	Imports    []string
	Name       string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,Name", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// TestDependenciesPointOneWay keeps technology in the leaves: a package may import only packages of a lower layer.
func TestDependenciesPointOneWay(t *testing.T) {
	t.Parallel()
	layers := [][]string{ // lowest first
		{"errdefs"},
		{"kriti", "mailcatcher", "migrate", "ports"},
		{"action", "env", "metadata", "transform"},
		{"actioncall", "actionlog", "auth", "webhook", "compose", "codegen", "declare", "hasura", "stack"},
		{"actionlog/postgres", "worker"},
		{"gateway", "scaffold"},
		{"metadataapi", "observe"},
		{"build", "doctor", "stack/native"},
		{"ui"},
		{"cli"},
	}
	rank := map[string]int{}
	for i, layer := range layers {
		for _, name := range layer {
			rank[module+"/internal/"+name] = i
		}
	}
	for _, p := range listPackages(t) {
		mine, known := rank[p.ImportPath]
		if !known {
			continue
		}
		for _, imported := range p.Imports {
			theirs, ranked := rank[imported]
			if ranked && theirs >= mine {
				t.Errorf("%s imports %s, which stands on its own layer or above", p.ImportPath, imported)
			}
		}
	}
}

// TestOnlyCLIImportsUI: other packages return values or report through callbacks.
func TestOnlyCLIImportsUI(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if p.ImportPath != module+"/internal/cli" && slices.Contains(p.Imports, module+"/internal/ui") {
			t.Errorf("%s imports internal/ui", p.ImportPath)
		}
	}
}

// TestTemplatesStandAlone: a project that is rendered from them cannot import nself.
func TestTemplatesStandAlone(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if !strings.HasPrefix(p.ImportPath, module+"/templates/golang") {
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module) && !strings.HasPrefix(imported, module+"/templates/golang") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if p.Doc == "" && p.ImportPath != module {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
