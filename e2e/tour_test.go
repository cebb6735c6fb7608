package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// tourFile is the document that holds what the journeys print; `make tour` writes it anew.
const tourFile = "../docs/tour.md"

// tourLock guards tourFile: journeys run at the same time.
var tourLock sync.Mutex //nolint:gochecknoglobals // guards a file

// cmdTour implements "tour <shell command>": runs it, keeps what a terminal would show, and offers that as stdout.
func cmdTour(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tour <shell command>")
	}
	err := ts.Exec("sh", "-c", "exec 2>&1\n"+args[0])
	if (err == nil) == neg {
		ts.Fatalf("%s: %v", args[0], err)
	}
	file, err := os.OpenFile(filepath.Join(ts.Getenv("WORK"), "tour"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	defer file.Close()
	_, err = fmt.Fprintf(file, "$ %s\n%s\n", args[0], ts.ReadFile("stdout"))
	ts.Check(err)
}

// defaultPorts are those of portKeys that a project has when nobody sets any.
var defaultPorts = []string{"8080", "5432", "6379", "1025", "8025", "3003", "3001", "3002"} //nolint:gochecknoglobals // a constant list

// cmdRecord implements "record <name>": with UPDATE_TOUR set, writes what tour has kept into the part of the tour between
// the comments "name" and "/name". Ports and folders are those that a reader would have.
func cmdRecord(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: record <name>")
	}
	if os.Getenv("UPDATE_TOUR") == "" {
		return
	}
	text := ts.ReadFile(filepath.Join(ts.Getenv("WORK"), "tour"))
	for i, key := range portKeys {
		text = strings.ReplaceAll(text, ts.Getenv("AT_"+key), defaultPorts[i])
	}
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "~")
	tourLock.Lock()
	defer tourLock.Unlock()
	doc, err := os.ReadFile(tourFile)
	ts.Check(err)
	part := regexp.MustCompile("(?s)<!-- " + args[0] + " -->\n(.*)<!-- /" + args[0] + " -->")
	at := part.FindSubmatchIndex(doc)
	if at == nil {
		ts.Fatalf("%s has no part between <!-- %s --> and <!-- /%s -->", tourFile, args[0], args[0])
	}
	body := "```\n" + strings.TrimSpace(text) + "\n```\n"
	ts.Check(os.WriteFile(tourFile, []byte(string(doc[:at[2]])+body+string(doc[at[3]:])), 0o644))
}
