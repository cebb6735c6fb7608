package actions

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/password"
	"github.com/nself-org/nself/templates/golang/internal/queue"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/users"
)

const (
	maxBulkUsers = 10_000
	maxBulkBody  = 8 << 20
)

// BulkCreateUsersHandler implements the action bulkCreateUsers: it makes accounts without a password, and sends their
// owners a link to choose one when asked to.
type BulkCreateUsersHandler struct {
	db        store.DB
	users     *users.Store
	queue     *queue.Queue
	passwords *password.Hasher
	log       *slog.Logger
}

// NewBulkCreateUsers makes the handler.
func NewBulkCreateUsers(d Deps) *BulkCreateUsersHandler {
	h := &BulkCreateUsersHandler{
		db:        d.DB,
		users:     users.NewStore(d.DB, d.Cache),
		queue:     queue.Of(d.Parts, d.Config, d.Env, d.Log),
		passwords: password.New(),
		log:       d.Log,
	}
	queue.Add(h.queue, &inviter{users: users.NewStore(h.queue.Pool, d.Cache), mail: d.Mail, publicURL: d.Config.PublicURL, log: d.Log})
	return h
}

// MaxBodyBytes makes room for as many users as there may be.
func (h *BulkCreateUsersHandler) MaxBodyBytes() int64 { return maxBulkBody }

// Routes adds the page that invitations link to.
func (h *BulkCreateUsersHandler) Routes(mux *http.ServeMux) {
	page := &acceptInvitationPage{users: h.users, passwords: h.passwords, log: h.log}
	mux.HandleFunc("GET "+acceptInvitationPath, page.form)
	mux.HandleFunc("POST "+acceptInvitationPath, page.accept)
}

// Handle creates the users. Those that cannot be created do not hinder the others; when the database fails, none is.
func (h *BulkCreateUsersHandler) Handle(
	ctx context.Context, req *action.Request[BulkCreateUsersArgs],
) (*BulkCreateUsersOutput, error) {
	in := req.Args.Input
	switch n := len(in.Users); {
	case n == 0:
		return invalidBulk("At least one user is required", action.CodeRequired), nil
	case n > maxBulkUsers:
		return invalidBulk("At most 10,000 users can be created at once", "TOO_MANY_USERS"), nil
	}
	results, fresh := checkUsers(in.Users)
	var made map[string]users.User
	err := store.InTx(ctx, h.db, func(tx pgx.Tx) (err error) {
		if made, err = h.users.CreateMany(ctx, tx, fresh); err != nil {
			return err
		}
		if in.SendInvitations == nil || !*in.SendInvitations || len(made) == 0 {
			return nil
		}
		return h.invite(ctx, tx, made)
	})
	if err != nil {
		return nil, err
	}
	out := &BulkCreateUsersOutput{Results: results}
	for i := range results {
		r := &results[i]
		if r.Error != nil {
			continue
		}
		if u, ok := made[users.NormalEmail(r.Email)]; ok {
			r.Success = true
			r.User = &UserInfo{ID: u.ID, Email: u.Email, Name: u.Name, EmailVerified: u.EmailVerified}
			out.CreatedCount++
			continue
		}
		r.Error = new("Email is already in use")
	}
	out.FailedCount = len(results) - out.CreatedCount
	out.Success = out.FailedCount == 0
	out.Message = fmt.Sprintf("%d users created", out.CreatedCount)
	if !out.Success {
		out.Message += fmt.Sprintf(", %d failed", out.FailedCount)
	}
	h.log.InfoContext(ctx, "users created", slog.Int("created", out.CreatedCount), slog.Int("failed", out.FailedCount))
	return out, nil
}

func invalidBulk(message, code string) *BulkCreateUsersOutput {
	return &BulkCreateUsersOutput{
		Message: "Validation failed", ErrorCode: new(action.CodeValidation),
		Errors: []ValidationError{{Field: "users", Message: message, Code: &code}},
	}
}

// checkUsers returns a result for each user, with an error where the input has one, and the users that may be created.
func checkUsers(list []CreateUserInput) (results []UserCreationResult, fresh []users.New) {
	results = make([]UserCreationResult, len(list))
	listed := make(map[string]bool, len(list))
	for i, in := range list {
		results[i].Email = in.Email
		n := users.New{
			Email: users.NormalEmail(in.Email), Name: strings.TrimSpace(in.Name), Company: users.NormalText(in.Company),
		}
		message := ""
		for _, f := range []action.FieldError{
			users.CheckEmail(n.Email), users.CheckName(n.Name), users.CheckCompany(n.Company),
		} {
			if message == "" {
				message = f.Message
			}
		}
		if message == "" && listed[n.Email] {
			message = "Email is listed twice"
		}
		if message != "" {
			results[i].Error = &message
			continue
		}
		listed[n.Email] = true
		fresh = append(fresh, n)
	}
	return results, fresh
}

// invite queues a mail to each user who was made, in the same transaction.
func (h *BulkCreateUsersHandler) invite(ctx context.Context, tx pgx.Tx, made map[string]users.User) error {
	ids := make([]string, 0, len(made))
	work := make([]river.JobArgs, 0, len(made))
	for _, u := range made {
		ids = append(ids, u.ID)
		work = append(work, invitation{UserID: u.ID})
	}
	if err := h.users.Invite(ctx, tx, ids); err != nil {
		return err
	}
	return h.queue.Insert(ctx, tx, work...)
}
