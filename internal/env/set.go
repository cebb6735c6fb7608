package env

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
	"github.com/joho/godotenv"

	"github.com/nself-org/nself/internal/errdefs"
)

// SetOptions says where Set writes and how it judges.
type SetOptions struct {
	// File is the file's name: .env, .env.local or .env.NAME. Empty: .env.local.
	File string
	// Environ is the process environment as KEY=value. Nil: the one of this process.
	Environ []string
	// Env chooses the environment in place of ENV. Empty: ENV decides.
	Env string
}

// SetResult is what Set has done.
type SetResult struct {
	File    string // relative to the project
	Line    int    // of the key, from 1
	Created bool   // the file is new
	Changed bool   // false: the file had this value already
	// ShadowedBy is a stronger layer that sets the key too, so that the new value does not count; nil: it counts.
	ShadowedBy *Source
	Warnings   []*Warning
}

// Set gives key a value in a file of the project in dir. The last assignment of the key in that file is replaced in
// place, else a line is added at the end; everything else in the file stays as it is, its line ends and mode too. A
// new file has mode 0600. A value that Load would refuse is refused with the same words, as a [Problem] of class
// errdefs.ErrInvalid; so is a file that cannot be read. The file is replaced in one step, so that nobody ever reads
// half of it.
func Set(dir, key, value string, opts SetOptions) (SetResult, error) {
	name, err := setFile(opts.File)
	if err != nil {
		return SetResult{}, err
	}
	if problem := checkName(key); problem != "" {
		return SetResult{}, fmt.Errorf("%w: %q cannot name a variable: %s", errdefs.ErrUsage, key, problem)
	}
	cfg, _, err := Load(dir, Options{Environ: opts.Environ, Env: opts.Env})
	if cfg == nil {
		return SetResult{}, err
	}
	result := SetResult{File: name}
	if err := cfg.checkSet(key, value, &result); err != nil {
		return SetResult{}, err
	}
	f := readFile(cfg.Dir, name)
	if err := join(f.problems); err != nil {
		return SetResult{}, err
	}
	quoted, err := Quote(value)
	if err != nil {
		return SetResult{}, invalid(key, err.Error(), "")
	}
	src, line := edit(f, key, quoted)
	result.Line, result.Created, result.Changed = line, !f.exists, !bytes.Equal(src, f.src)
	result.ShadowedBy = cfg.shadow(key, name)
	if !result.Changed {
		return result, nil
	}
	if err := readsBack(src, key, value); err != nil {
		return SetResult{}, errdefs.WithHint(fmt.Errorf("set %s in %s: %w", key, name, err), "write the line into the file with an editor")
	}
	path := filepath.Join(cfg.Dir, name)
	if err := replace(path, src); err != nil {
		return SetResult{}, fmt.Errorf("set %s in %s: %w", key, name, errdefs.Writing(path, err))
	}
	return result, nil
}

// setFile checks the name of the file to write.
func setFile(name string) (string, error) {
	switch {
	case name == "":
		return localFile, nil
	case name == baseFile || strings.HasPrefix(name, ".env.") && name != ".env." && !strings.ContainsAny(name, `/\`):
		return name, nil
	}
	return "", errdefs.WithHint(fmt.Errorf("%w: --file %q is none of the project's .env files", errdefs.ErrUsage, name),
		"name .env, .env.local or .env.NAME")
}

func invalid(key, text, hint string) error {
	return join([]*Problem{{Key: key, Text: text, Hint: hint}})
}

// checkSet refuses a value that Load would refuse, and warns about what Load would warn about.
func (c *Config) checkSet(key, value string, result *SetResult) error {
	if k := c.table.find(key); k != nil {
		if value == "" {
			if k.Required {
				return invalid(key, "set to no text", "give it a value")
			}
			return nil
		}
		if problem, hint := k.checkValue(value); problem != "" {
			return invalid(key, problem, hint)
		}
		return c.checkStrength(key, value, result)
	}
	warn := func(text, hint string) {
		result.Warnings = append(result.Warnings, &Warning{Key: key, Text: text, Hint: hint})
	}
	if advice, ok := computed(key); ok {
		warn("has no effect: nself works this value out for the services", advice)
	} else if problem, hint := c.oldName(key, value); problem != "" {
		warn(problem, hint)
	} else if near := c.table.nearest(key); near != "" {
		warn("nself does not know this name", "did you mean "+near+"?")
	}
	return nil
}

// checkStrength runs the rule for secrets on one value.
func (c *Config) checkStrength(key, value string, result *SetResult) error {
	weak := weakness(key, value, c.values["HASURA_JWT_TYPE"].Text)
	switch {
	case weak == "":
		return nil
	case c.Env == Prod || key == "HASURA_JWT_KEY":
		return invalid(key, weak, generateHint(key))
	}
	result.Warnings = append(result.Warnings, &Warning{Key: key, Text: weak, Hint: generateHint(key)})
	return nil
}

// shadow is the layer above the file name that sets key, or nil. A file that is no layer now is above nothing.
func (c *Config) shadow(key, name string) *Source {
	rank := map[string]int{localFile: 0, ".env." + c.Env: 1, baseFile: 2}
	own, isLayer := rank[name]
	if !isLayer {
		return nil
	}
	for _, layer := range c.layers[key] {
		if layer.Source.Kind != FromFile || rank[layer.Source.File] < own {
			return &layer.Source
		}
	}
	return nil
}

// edit returns the file's bytes with key set to the quoted value, and the line where it stands.
func edit(f *file, key, quoted string) (src []byte, line int) {
	for _, st := range slices.Backward(f.statements) {

		if st.key != key {
			continue
		}
		src = append(src, f.src[:st.valStart]...)
		src = append(src, quoted...)
		return append(src, f.src[st.valEnd:]...), st.line
	}
	end := "\n"
	if bytes.Contains(f.src, []byte("\r\n")) {
		end = "\r\n"
	}
	src = append(src, f.src...)
	if len(src) > 0 && src[len(src)-1] != '\n' && string(src) != byteOrderMark {
		src = append(src, end...)
	}
	line = 1 + bytes.Count(src, []byte{'\n'})
	return append(src, key+"="+quoted+end...), line
}

// readsBack makes sure, before anything is written, that the new text gives the value that was asked for.
func readsBack(src []byte, key, value string) error {
	statements, faults := scan(src)
	if len(faults) > 0 {
		return errors.New("the edited file could not be read; nothing was changed")
	}
	for _, st := range slices.Backward(statements) {

		if st.key != key {
			continue
		}
		values, err := godotenv.Unmarshal("K=" + string(src[st.valStart:st.valEnd]) + "\n")
		if err != nil || values["K"] != value {
			break
		}
		return nil
	}
	return errors.New("the edited file would give another value; nothing was changed")
}

// replace writes data to path in one step, through a symbolic link to the file that it names. An existing file keeps
// its mode and, where this process may, its owner.
func replace(path string, data []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t, err := renameio.NewPendingFile(path,
		renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer t.Cleanup() //nolint:errcheck // a no-op after the file was replaced
	if info != nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			_ = t.Chown(int(owner.Uid), int(owner.Gid)) // only root can, and only for root it matters
		}
		if err := t.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := t.Write(data); err != nil {
		return err
	}
	return t.CloseAtomicallyReplace()
}
