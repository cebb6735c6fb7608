// Package nself holds the tests of the repository as a whole, and what writes its generated files.
package nself

//go:generate go run ./internal/scaffold/generate
//go:generate go run ./scripts/gendocs
