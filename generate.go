package nself

//go:generate go run ./scripts/gendocs
