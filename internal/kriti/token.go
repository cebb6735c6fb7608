package kriti

// tokenKind tells tokens apart.
type tokenKind uint8

const (
	tokenSymbol tokenKind = iota
	tokenIdentifier
	tokenKeyword // an identifier with a meaning: it cannot name a variable or follow a dot
	tokenInt
	tokenNumber
	tokenBool
	tokenText // a piece of a string's content
)

// token is a lexeme. A string is the symbol `"`, pieces of text and templates, and the symbol `"`.
type token struct {
	kind tokenKind
	// text is the symbol, the name, the number or, for text, the content with escapes resolved.
	text string
	at   Position
}

// is tells whether the token is the given symbol.
func (t token) is(symbol string) bool { return t.kind == tokenSymbol && t.text == symbol }

// isKeyword tells whether the token is the given keyword.
func (t token) isKeyword(word string) bool { return t.kind == tokenKeyword && t.text == word }

// String is the token as messages show it.
func (t token) String() string {
	if t.kind == tokenText {
		return `"` + t.text + `"`
	}
	return t.text
}

func isKeyword(word string) bool {
	switch word {
	case "if", "elif", "else", "end", "null", "range", "in", "not":
		return true
	}
	return false
}
