package kriti

import (
	"strconv"
)

// Code names a kind of error.
type Code string

// The codes that Hasura has, and one of ours for limits.
const (
	CodeParse     Code = "Parse Error"
	CodeLex       Code = "Lex Error"
	CodeName      Code = "Name Error"
	CodeType      Code = "Type Error"
	CodeIndex     Code = "Index Error"
	CodePath      Code = "Invalid Path"
	CodeAttribute Code = "Attribute Error"
	CodeFunction  Code = "Function Error"
	CodeLimit     Code = "Limit Error"
)

// Position is a stretch of a template. Lines count from 0, columns from 1 in characters; the end is the column after
// the last character.
type Position struct {
	StartLine   int `json:"start_line"`
	StartColumn int `json:"start_column"`
	EndLine     int `json:"end_line"`
	EndColumn   int `json:"end_column"`
}

// to returns the smallest stretch that covers p and q.
func (p Position) to(q Position) Position {
	if q.StartLine < p.StartLine || q.StartLine == p.StartLine && q.StartColumn < p.StartColumn {
		p.StartLine, p.StartColumn = q.StartLine, q.StartColumn
	}
	if q.EndLine > p.EndLine || q.EndLine == p.EndLine && q.EndColumn > p.EndColumn {
		p.EndLine, p.EndColumn = q.EndLine, q.EndColumn
	}
	return p
}

// Error is a fault of a template, found by parsing or by evaluation. It marshals as Hasura writes it.
type Error struct {
	Code     Code     `json:"error_code"`
	Message  string   `json:"message"`
	Position Position `json:"source_position"`
}

// Error prints the message with the place where it arose, the line counted from 1 as an editor does.
func (e *Error) Error() string {
	return "line " + strconv.Itoa(e.Position.StartLine+1) + ", column " + strconv.Itoa(e.Position.StartColumn) + ": " +
		string(e.Code) + ": " + e.Message
}

func typeError(expected string, actual Value, at Position) *Error {
	return &Error{
		Code: CodeType, Position: at,
		Message: "Couldn't match expected type '" + expected + "' with actual type '" + actual.Kind().String() + "'.",
	}
}

func nameError(name string, at Position) *Error {
	return &Error{Code: CodeName, Message: "Variable '" + name + "' not in scope", Position: at}
}

// attributeError keeps the spelling of the original.
func attributeError(name string, at Position) *Error {
	return &Error{Code: CodeAttribute, Message: "'Object' has no attritubte '" + name + "'.", Position: at}
}

// indexError says what the original says, which is about ranges although it is not.
func indexError(at Position) *Error {
	return &Error{Code: CodeIndex, Message: "Can only range over an array", Position: at}
}

func limitError(message string, at Position) *Error {
	return &Error{Code: CodeLimit, Message: message, Position: at}
}
