// Package files keeps a record of uploaded files, finds out what they are, and processes them: thumbnails of images,
// statistics of CSV files.
package files

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// File is a row of public.files.
type File struct {
	ID     string
	UserID string // whose it is; empty: the admin's
	Name   string
	Type   string // what its content is
	Size   int
	SHA256 []byte
}

// Key is where the file lies in the storage.
func (f File) Key() string { return f.ID + "/" + f.Name }

// Insert records the file.
func (f File) Insert(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `INSERT INTO public.files (id, user_id, name, content_type, size, sha256, storage_key)
		VALUES ($1, nullif($2, ''), $3, $4, $5, $6, $7)`,
		f.ID, f.UserID, f.Name, f.Type, f.Size, f.SHA256, f.Key()); err != nil {
		return fmt.Errorf("record the file: %w", err)
	}
	return nil
}
