package metadata

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// piecesFrom is the size from which actions.yaml is read in pieces. Nodes take some forty times the memory of the text.
	piecesFrom = 512 << 10
	// pieceBytes is about what one piece has.
	pieceBytes = 64 << 10
)

// yamlPiece is a part of actions.yaml that is a document by itself: entries of actions, or other keys of the file.
type yamlPiece struct {
	text    []byte
	line    int // lines before it
	entries bool

	file     actionsFile
	problems Problems
	ok       bool
}

// parsePieces reads a large actions.yaml as pieces of about size bytes, at the same time and without all of its nodes in
// memory at once. It gives up on everything that is unusual or wrong, which is then read as a whole.
func parsePieces(text []byte, file string, size int) (*actionsFile, Problems, bool) {
	pieces, ok := cutYAML(text, size)
	if !ok {
		return nil, nil, false
	}
	next := make(chan *yamlPiece)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var plain plainReader
			for p := range next {
				p.parse(file, &plain)
			}
		})
	}
	for i := range pieces {
		next <- &pieces[i]
	}
	close(next)
	wg.Wait()
	all := &actionsFile{}
	var ps Problems
	for i := range pieces {
		p := &pieces[i]
		if !p.ok {
			return nil, nil, false
		}
		all.actions = append(all.actions, p.file.actions...)
		all.types = append(all.types, p.file.types...)
		ps = append(ps, p.problems...)
	}
	return all, ps, true
}

// parse reads one piece. Anything that the whole file might explain in another way is not ok.
func (p *yamlPiece) parse(file string, plain *plainReader) {
	r := &yamlReader{file: file, ps: &p.problems, line: p.line}
	root, ok := plain.read(string(p.text))
	if !ok {
		root = parseYAML(p.text, file, &p.problems)
	}
	switch {
	case len(p.problems) > 0:
		return
	case root == nil: // comments
	case !p.entries:
		if root.Kind != yaml.MappingNode {
			return
		}
		r.actionsFile(root, &p.file)
	case root.Kind != yaml.SequenceNode:
		return
	default:
		for _, n := range root.Content {
			r.actionEntry(n, &p.file)
		}
	}
	p.ok = true
}

// cutYAML cuts the file between its keys, and the list of actions between entries. It is not ok where that is not safe:
// anchors, aliases and tags, several documents, keys that stand twice.
func cutYAML(text []byte, size int) (pieces []yamlPiece, ok bool) {
	if !plainText(text) || anchors(text) {
		return nil, false
	}
	var (
		seen   []string
		piece  yamlPiece
		begin  int // of the piece
		dash   = -1
		number int
	)
	end := func(at int) {
		if piece.text = text[begin:at]; len(bytes.TrimSpace(piece.text)) > 0 {
			pieces = append(pieces, piece)
		}
		begin = at
		piece = yamlPiece{line: number, entries: dash >= 0}
	}
	inActions := false
	for at := 0; at < len(text); number++ {
		line, _, _ := bytes.Cut(text[at:], []byte("\n"))
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		rest := line[indent:]
		switch {
		case len(rest) == 0 || rest[0] == '#':
		case indent == 0 && rest[0] != '-':
			key, value, found := bytes.Cut(rest, []byte(":"))
			if !found || !isName(string(key)) || slices.Contains(seen, string(key)) {
				return nil, false
			}
			seen = append(seen, string(key))
			dash = -1
			end(at)
			inActions = string(key) == "actions" && len(bytes.TrimSpace(value)) == 0
		case inActions && dash < 0:
			if !bytes.HasPrefix(rest, []byte("- ")) {
				return nil, false
			}
			dash = indent
			// The key before the first entry is a piece of nothing.
			begin = at
			piece = yamlPiece{line: number, entries: true}
		case inActions && indent == dash && rest[0] == '-':
			if at-begin >= size {
				end(at)
			}
		case len(seen) == 0, inActions && indent <= dash, indent == 0:
			return nil, false
		}
		at += len(line) + 1
	}
	end(len(text))
	return pieces, true
}

// plainText tells whether all characters are printable and every line ends in a line feed, as far as YAML is concerned.
func plainText(text []byte) bool {
	for i := 0; i < len(text); {
		c, n := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRune(text[i:])
		}
		if c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || c == '\u2028' || c == '\u2029' || c >= 0xfe00 {
			return false
		}
		i += n
	}
	return true
}

// anchors tells whether an anchor, an alias, a tag or the mark of a document may be in the text.
func anchors(text []byte) bool {
	for i, c := range text {
		switch c {
		case '&', '*', '!':
			begins := i == 0 || strings.IndexByte(" \n[{,:-", text[i-1]) >= 0
			if begins && i+1 < len(text) && text[i+1] != ' ' {
				return true
			}
		case '%', '.':
			if i == 0 || text[i-1] == '\n' {
				return true
			}
		}
	}
	return bytes.HasPrefix(text, []byte("---")) || bytes.Contains(text, []byte("\n---"))
}
