package metadataapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
)

// Hasura's codes, beside those of package action.
const (
	codeAlreadyExists    = "already-exists"
	codeAlreadyTracked   = "already-tracked"
	codeAlreadyUntracked = "already-untracked"
	codeConflict         = "conflict"
	codeInvalidConfig    = "invalid-configuration"
	codeInvalidParams    = "invalid-params"
	codeNotExists        = "not-exists"
	codePermissionDenied = "permission-denied"
	codePostgresError    = "postgres-error"
)

// refuse is an error of the client, status 400.
func refuse(code, message string) *action.Error { return &action.Error{Code: code, Message: message} }

func parseFailed(path, message string) *action.Error {
	return &action.Error{Code: action.CodeParseFailed, Message: message, Path: path}
}

// failed is an error that is not the client's.
func failed(err error) *action.Error {
	return &action.Error{Status: http.StatusInternalServerError, Code: action.CodeUnexpected, Message: err.Error()}
}

// shapeError words an error of the parsers of package metadata.
func shapeError(err error) *action.Error {
	if shape, ok := errors.AsType[*metadata.ShapeError](err); ok {
		return parseFailed(strings.TrimPrefix(shape.Path, "$"), shape.Message)
	}
	return parseFailed("", err.Error())
}

// withInternal attaches details. What cannot be encoded is left out.
func withInternal(e *action.Error, details any) *action.Error {
	if encoded, err := json.Marshal(details); err == nil {
		e.Internal = encoded
	}
	return e
}
