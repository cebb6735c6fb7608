package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/nself-org/nself/internal/compose"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/scaffold"
)

// memoPath remembers what the last rendering came to. It may be deleted at any time.
const memoPath = stateDir + "/cache/render.json"

// memo is the outcome of a rendering without the contents: enough to find that a project is as it should be, which is
// what most builds find. It holds for one program, one configuration and one metadata, which Key stands for.
type memo struct {
	Key      string            `json:"key"`
	Files    []memoFile        `json:"files"`
	Reasons  map[string]string `json:"reasons"`
	Handlers map[string]string `json:"handlers"`
}

type memoFile struct {
	Path   string         `json:"path"`
	Owner  scaffold.Owner `json:"owner"`
	Mode   fs.FileMode    `json:"mode"`
	SHA256 string         `json:"sha256,omitempty"` // of files of nself's: no other content is compared
}

// memoKey hashes everything that a rendering depends on. Empty: there is nothing to go by.
func (d *disk) memoKey(cfg *env.Config) string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(program)
	if err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %d\n", program, info.Size(), info.ModTime().UnixNano())
	for _, v := range cfg.Values() {
		fmt.Fprintf(h, "%q %q %q\n", v.Key, v.Text, v.Source)
	}
	err = fs.WalkDir(d.root.FS(), "hasura/metadata", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := d.root.ReadFile(p)
		fmt.Fprintf(h, "%q %d\n", p, len(data))
		h.Write(data)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// recall returns what a project needs if the last rendering had the same key. The files come without content, and their
// hashes beside them; those with secrets, which nothing but themselves may tell, are rendered anew.
func (d *disk) recall(key string, cfg *env.Config) (needs, bool) {
	data, err := d.root.ReadFile(memoPath)
	if err != nil || key == "" {
		return needs{}, false
	}
	var m memo
	if json.Unmarshal(data, &m) != nil || m.Key != key {
		return needs{}, false
	}
	n := needs{reasons: m.Reasons, handlers: m.Handlers, hashes: make(map[string]string, len(m.Files))}
	for _, f := range m.Files {
		n.files = append(n.files, scaffold.File{Path: f.Path, Mode: f.Mode, Owner: f.Owner})
		n.hashes[f.Path] = f.SHA256
	}
	n.files = append(n.files, environFiles(cfg)...)
	return n, true
}

// remember keeps a rendering for the next build. A failure costs that build some milliseconds and nobody else anything.
func (d *disk) remember(key string, n needs) {
	if key == "" {
		return
	}
	m := memo{Key: key, Reasons: n.reasons, Handlers: n.handlers}
	for _, f := range n.files {
		switch f.Owner {
		case scaffold.OwnerDerived:
		case scaffold.OwnerUser:
			m.Files = append(m.Files, memoFile{Path: f.Path, Owner: f.Owner, Mode: f.Mode})
		default:
			m.Files = append(m.Files, memoFile{Path: f.Path, Owner: f.Owner, Mode: f.Mode, SHA256: hashOf(f.Data)})
		}
	}
	data, err := json.Marshal(m)
	if err != nil || d.root.MkdirAll(path.Dir(memoPath), 0o755) != nil {
		return
	}
	_ = d.root.WriteFile(memoPath, data, 0o600)
}

// environFiles are the environments of the containers.
func environFiles(cfg *env.Config) []scaffold.File {
	var files []scaffold.File
	for _, f := range compose.EnvFiles(cfg) {
		files = append(files, scaffold.File{Path: f.Path, Data: f.Data, Mode: 0o600, Owner: scaffold.OwnerDerived})
	}
	return files
}
