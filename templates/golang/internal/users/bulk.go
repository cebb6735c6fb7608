package users

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// batchSize is how many accounts one statement makes.
const batchSize = 1000

// noPassword stands where a password's hash would: no password fits it.
const noPassword = "!"

// CreateMany makes accounts without a password, in a transaction of the caller's. It returns those it made by address;
// an address that another account has is left out. No address may be listed twice.
func (s *Store) CreateMany(ctx context.Context, tx pgx.Tx, list []New) (map[string]User, error) {
	made := make(map[string]User, len(list))
	for len(list) > 0 {
		batch := list[:min(batchSize, len(list))]
		list = list[len(batch):]
		emails, names, companies := make([]string, len(batch)), make([]string, len(batch)), make([]*string, len(batch))
		for i, n := range batch {
			emails[i], names[i], companies[i] = n.Email, n.Name, n.Company
		}
		rows, err := tx.Query(ctx, `INSERT INTO public.users (email, password_hash, name, company)
			SELECT email, $1, name, company FROM unnest($2::text[], $3::text[], $4::text[]) AS n (email, name, company)
			ON CONFLICT (lower(email)) DO NOTHING RETURNING `+userColumns, noPassword, emails, names, companies)
		if err != nil {
			return nil, fmt.Errorf("create users: %w", err)
		}
		created, err := pgx.CollectRows(rows, pgx.RowToStructByPos[User])
		if err != nil {
			return nil, fmt.Errorf("create users: %w", err)
		}
		for _, u := range created {
			made[u.Email] = u
		}
	}
	return made, nil
}
