package codegen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// initialisms are words that Go writes in capitals throughout (staticcheck's list, ST1003).
var initialisms = map[string]string{
	"acl": "ACL", "api": "API", "ascii": "ASCII", "cpu": "CPU", "css": "CSS", "db": "DB", "dns": "DNS", "eof": "EOF",
	"guid": "GUID", "html": "HTML", "http": "HTTP", "https": "HTTPS", "id": "ID", "ids": "IDs", "ip": "IP", "json": "JSON",
	"qps": "QPS", "ram": "RAM", "rpc": "RPC", "sla": "SLA", "smtp": "SMTP", "sql": "SQL", "ssh": "SSH", "tcp": "TCP",
	"tls": "TLS", "ttl": "TTL", "udp": "UDP", "ui": "UI", "gid": "GID", "uid": "UID", "uuid": "UUID", "uri": "URI",
	"url": "URL", "urls": "URLs", "utf8": "UTF8", "vm": "VM", "xml": "XML", "xmpp": "XMPP", "xsrf": "XSRF", "xss": "XSS",
	"sip": "SIP", "rtp": "RTP", "amqp": "AMQP", "ts": "TS",
}

// goName turns a GraphQL name into an exported Go name: user_id becomes UserID, SUCCEEDED becomes Succeeded.
func goName(name string) string {
	var b strings.Builder
	for w := range strings.SplitSeq(metadata.Snake(name), "_") {
		switch known, ok := initialisms[w]; {
		case ok:
			b.WriteString(known)
		case w != "":
			b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	s := b.String()
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return "X" + s // GraphQL allows _ and _1, which have no capital to export them
	}
	return s
}

// goFileTaken are files of the template, and last words that make the go command treat a file as a test or as one
// platform's.
var (
	goFileTaken    = []string{"deps", "types_gen", "actions_gen", "background", "job_answers"}
	goFileSuffixes = []string{
		"test", "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd",
		"openbsd", "plan9", "solaris", "wasip1", "windows", "zos", "386", "amd64", "amd64p32", "arm", "armbe", "arm64",
		"arm64be", "loong64", "mips", "mipsle", "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "ppc64", "ppc64le",
		"riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm",
	}
)

// GoFile names the file of an action's handler, relative to the service's folder: actions/register_user.go. A name that
// the go command would skip gets a further word: checkLinux is in actions/check_linux_action.go.
func GoFile(action string) string { return "actions/" + goBase(action) + ".go" }

// GoTestFile names the file of the handler's test.
func GoTestFile(action string) string { return "actions/" + goBase(action) + "_test.go" }

func goBase(action string) string {
	base := metadata.Snake(action)
	words := strings.Split(base, "_")
	last := words[len(words)-1]
	if base == "" || slices.Contains(goFileTaken, base) || len(words) > 1 && slices.Contains(goFileSuffixes, last) {
		return strings.TrimPrefix(base+"_action", "_")
	}
	return base
}

// namer hands out names that are not taken yet.
type namer map[string]bool

func newNamer(taken ...string) namer {
	n := namer{}
	n.reserve(taken...)
	return n
}

func (n namer) reserve(names ...string) {
	for _, name := range names {
		n[name] = true
	}
}

// take returns name, or name with the first number that makes it free.
func (n namer) take(name string) string {
	free := name
	for i := 2; n[free]; i++ {
		free = name + strconv.Itoa(i)
		if last := name[len(name)-1]; last >= '0' && last <= '9' {
			free = name + "_" + strconv.Itoa(i)
		}
	}
	n[free] = true
	return free
}
