package kriti

import (
	"strings"
	"unicode/utf8"
)

// mode is what the lexer is inside of.
type mode uint8

const (
	inJSON     mode = iota // outside of braces: }} is two closing braces of objects
	inTemplate             // after {{: }} ends it
	inString
	inKey // between single quotes
)

// lexer splits a template into tokens. It runs over the whole template before the parser starts, as the original does:
// a lexical fault anywhere is reported before a syntactical one.
type lexer struct {
	src    string
	i      int
	modes  []mode
	tokens []token

	line, column int      // of src[i]
	last         Position // of the lexeme before
}

// lex returns the tokens of a template and the position of its last lexeme, blanks and comments included.
func lex(src string) ([]token, Position, *Error) {
	l := lexer{src: src, modes: []mode{inJSON}, column: 1, last: Position{0, 1, 0, 1}}
	for l.i < len(l.src) {
		var err *Error
		switch l.modes[len(l.modes)-1] {
		case inString:
			err = l.inString()
		case inKey:
			err = l.inKey()
		default:
			err = l.code()
		}
		if err != nil {
			return nil, Position{}, err
		}
	}
	return l.tokens, l.last, nil
}

func (l *lexer) push(m mode) { l.modes = append(l.modes, m) }

func (l *lexer) pop() {
	if len(l.modes) > 1 {
		l.modes = l.modes[:len(l.modes)-1]
	}
}

// take consumes n bytes as one lexeme.
func (l *lexer) take(n int) string {
	text := l.src[l.i : l.i+n]
	l.i += n
	if lines := strings.Count(text, "\n"); lines > 0 {
		l.line += lines
		l.column = 1 + utf8.RuneCountInString(text[strings.LastIndexByte(text, '\n')+1:])
	} else {
		l.column += utf8.RuneCountInString(text)
	}
	l.last = Position{l.last.EndLine, l.last.EndColumn, l.line, l.column}
	return text
}

func (l *lexer) emit(kind tokenKind, n int) {
	text := l.take(n)
	l.tokens = append(l.tokens, token{kind, text, l.last})
}

// invalid reports that no lexeme starts here. skip is the number of bytes that could have started one; the message
// shows what follows them.
func (l *lexer) invalid(skip int) *Error {
	rest := l.src[l.i+skip:]
	at := Position{l.line, l.column + skip, l.line, l.column + skip + len(rest)}
	return &Error{Code: CodeLex, Message: "Invalid Lexeme: '" + strings.ToValidUTF8(rest, "\uFFFD") + "'", Position: at}
}

// code reads a lexeme outside of strings.
func (l *lexer) code() *Error {
	rest := l.src[l.i:]
	switch c := rest[0]; {
	case strings.IndexByte(" \t\n\f\v\r", c) >= 0:
		l.take(len(rest) - len(strings.TrimLeft(rest, " \t\n\f\v\r")))
	case c == '#':
		n := strings.IndexByte(rest, '\n')
		if n < 0 {
			n = len(rest)
		}
		l.take(n)
	case c == '"':
		l.emit(tokenSymbol, 1)
		l.push(inString)
	case c == '\'':
		l.emit(tokenSymbol, 1)
		l.push(inKey)
	case c == '$' || isLetter(c):
		l.identifier(rest)
	case isDigit(c) || c == '-' && len(rest) > 1 && isDigit(rest[1]):
		l.number(rest)
	default:
		return l.symbol(rest)
	}
	return nil
}

func (l *lexer) identifier(rest string) {
	n := 1
	if rest[0] != '$' || len(rest) > 1 && isLetter(rest[1]) { // a dollar sign alone is a name, too
		for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n]) || strings.IndexByte("_-$", rest[n]) >= 0) {
			n++
		}
	}
	kind := tokenIdentifier
	switch word := rest[:n]; {
	case word == "true" || word == "false":
		kind = tokenBool
	case isKeyword(word):
		kind = tokenKeyword
	}
	l.emit(kind, n)
}

// number reads the longest number: digits alone, which may start with zeros, or JSON's form.
func (l *lexer) number(rest string) {
	digits := func(from int) int {
		for from < len(rest) && isDigit(rest[from]) {
			from++
		}
		return from
	}
	start := 0
	if rest[0] == '-' {
		start = 1
	}
	end := digits(start)
	if rest[start] == '0' && end > start+1 { // no fraction or exponent after leading zeros
		l.emit(tokenInt, end)
		return
	}
	kind, n := tokenInt, end
	if n+1 < len(rest) && rest[n] == '.' && isDigit(rest[n+1]) {
		kind, n = tokenNumber, digits(n+1)
	}
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		exponent := n + 1
		if exponent < len(rest) && (rest[exponent] == '+' || rest[exponent] == '-') {
			exponent++
		}
		if exponent < len(rest) && isDigit(rest[exponent]) {
			kind, n = tokenNumber, digits(exponent)
		}
	}
	l.emit(kind, n)
}

func (l *lexer) symbol(rest string) *Error {
	if len(rest) > 1 {
		switch two := rest[:2]; two {
		case "{{":
			l.emit(tokenSymbol, 2)
			l.push(inTemplate)
			return nil
		case "}}":
			if l.modes[len(l.modes)-1] == inTemplate {
				l.emit(tokenSymbol, 2)
				l.pop()
				return nil
			}
		case "==", "!=", ">=", "<=", "&&", "||", "??", ":=":
			l.emit(tokenSymbol, 2)
			return nil
		}
	}
	switch {
	case strings.IndexByte(":.,?><_{}[]()", rest[0]) >= 0:
		l.emit(tokenSymbol, 1)
		return nil
	case strings.IndexByte("=!&|-", rest[0]) >= 0: // the first half of a lexeme
		return l.invalid(1)
	}
	return l.invalid(0)
}

// inString reads a piece of a string: text without escapes, one escape, a brace, the start of a template, or the end.
func (l *lexer) inString() *Error {
	rest := l.src[l.i:]
	switch c := rest[0]; {
	case c == '"':
		l.emit(tokenSymbol, 1)
		l.pop()
		return nil
	case strings.HasPrefix(rest, "{{"):
		l.emit(tokenSymbol, 2)
		l.push(inTemplate)
		return nil
	case c == '{':
		l.emit(tokenText, 1)
		return nil
	case c == '\\':
		return l.escape(rest)
	}
	n := strings.IndexAny(rest, "\"{\\")
	if n < 0 {
		n = len(rest)
	}
	l.emit(tokenText, n)
	return nil
}

// escape reads an escape sequence of a string.
func (l *lexer) escape(rest string) *Error {
	if len(rest) == 1 {
		return l.invalid(1)
	}
	text, n := "", 2
	switch rest[1] {
	case '"', '\\', '{':
		text = rest[1:2]
	case '/': // the original keeps the backslash
		text = `\/`
	case 'b':
		text = "\b"
	case 'f':
		text = "\f"
	case 'n':
		text = "\n"
	case 'r':
		text = "\r"
	case 't':
		text = "\t"
	case 'u':
		decoded, used, ok := appendEscapedRune(nil, rest[2:])
		if !ok {
			return l.invalid(2)
		}
		text, n = string(decoded), 2+used
	default:
		return l.invalid(1)
	}
	l.take(n)
	l.tokens = append(l.tokens, token{tokenText, text, l.last})
	return nil
}

// inKey reads what stands between single quotes. There are no escapes and no braces in it.
func (l *lexer) inKey() *Error {
	rest := l.src[l.i:]
	if rest[0] == '\'' {
		l.emit(tokenSymbol, 1)
		l.pop()
		return nil
	}
	n := strings.IndexAny(rest, "'{")
	switch n {
	case 0:
		return l.invalid(0)
	case -1:
		n = len(rest)
	}
	l.emit(tokenText, n)
	return nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
