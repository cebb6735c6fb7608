package scaffold

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/templates"
)

// documented is an action that comes with an implementation.
type documented struct {
	name string
	// migrations names folders of templates/hasura/migrations/default; actions may share them.
	migrations []string
	// files names, for each runtime that implements the action, the files of its template that are rendered for this
	// action's sake; actions may share them. Files that no action names are part of every service.
	files map[string][]string
}

// implementedIn says whether the template of a runtime has the handler; "" asks whether any has.
func (d documented) implementedIn(runtime string) bool {
	return len(d.files[runtime]) > 0 || runtime == "" && len(d.files) > 0
}

// Migrations that several actions share.
const (
	usersMigration = "1700000000100_create_users"
	jobsMigration  = "1700000000300_create_jobs"
	crmMigration   = "1700000000600_create_crm"
)

// Files of the Go template that several actions share.
var (
	goUsers = []string{
		"internal/users/rules.go", "internal/users/users.go", "internal/users/users_test.go", "internal/users/verification.go",
	}
	goQueue = []string{"internal/queue/queue.go", "internal/queue/queue_test.go"}
	goJobs  = append([]string{
		"internal/jobs/jobs.go", "internal/jobs/jobs_test.go", "internal/jobs/trace_test.go", "internal/jobs/worker.go",
	}, goQueue...)
	goCRM = []string{
		"internal/crm/cipher.go", "internal/crm/client.go", "internal/crm/client_test.go", "internal/crm/crm_test.go",
		"internal/crm/store.go", "internal/crm/target.go",
	}
	goStorage = []string{
		"internal/storage/dir.go", "internal/storage/dir_test.go", "internal/storage/s3.go", "internal/storage/s3_test.go",
		"internal/storage/sign.go", "internal/storage/storage.go",
	}
)

var documentedActions = []documented{
	{
		name:       "registerUser",
		migrations: []string{usersMigration},
		files: map[string][]string{
			"golang": append([]string{
				"actions/register_user.go", "actions/register_user_mail.go", "actions/register_user_mail.html",
				"actions/register_user_mail.txt", "actions/register_user_rules.go", "actions/register_user_rules_test.go",
				"actions/register_user_test.go", "actions/verify_email.go", "actions/verify_email.html",
				"actions/verify_email_test.go",
			}, goUsers...),
			"nestjs": nestFiles["registerUser"],
			"python": {
				"actions/register_user.py", "actions/register_user_mail.html", "actions/register_user_mail.py",
				"actions/register_user_mail.txt", "actions/register_user_rules.py", "actions/verify_email.html",
				"actions/verify_email.py", "service/user_rules.py", "service/users.py", "tests/test_register_user.py",
				"tests/test_register_user_rules.py", "tests/test_users.py", "tests/test_verify_email.py",
			},
		},
	},
	{
		name:       "processPayment",
		migrations: []string{usersMigration, "1700000000200_create_payments"},
		files: map[string][]string{
			"golang": slices.Concat([]string{
				"actions/process_payment.go", "actions/process_payment_rules.go", "actions/process_payment_test.go",
				"internal/payments/payments.go", "internal/payments/stripe.go",
			}, goUsers),
			"nestjs": nestFiles["processPayment"],
			"python": {
				"actions/payment.py", "actions/payment_rules.py", "service/payments.py", "service/stripe_gateway.py",
				"tests/stripe_server.py", "tests/test_payment.py",
			},
		},
	},
	{
		name: "generateReport",
		// Reports are of users or of payments, so both tables have to be there.
		migrations: []string{usersMigration, "1700000000200_create_payments", jobsMigration},
		files: map[string][]string{
			"golang": slices.Concat([]string{
				"actions/generate_report.go", "actions/generate_report_test.go", "internal/reports/reports.go",
				"internal/reports/reports_test.go", "actions/background_test.go",
			}, goJobs, goStorage),
			"nestjs": nestFiles["generateReport"],
			"python": {
				"actions/generate_report.py", "service/file_links.py", "service/job_work.py", "service/jobs.py",
				"service/queue.py", "service/reports.py", "service/storage.py", "tests/jobs.py", "tests/s3_server.py",
				"tests/test_generate_report.py", "tests/test_storage.py",
			},
		},
	},
	{
		name:       "jobStatus",
		migrations: []string{jobsMigration},
		files: map[string][]string{
			"golang": slices.Concat([]string{
				"actions/job_answers.go", "actions/job_status.go", "actions/job_status_test.go",
				"actions/background_test.go",
			}, goJobs, goStorage),
			"nestjs": nestFiles["jobStatus"],
			"python": {
				"actions/job_answers.py", "actions/job_status.py", "service/file_links.py", "service/jobs.py",
				"service/storage.py", "tests/jobs.py", "tests/s3_server.py", "tests/test_job_status.py",
				"tests/test_storage.py",
			},
		},
	},
	{
		name:       "cancelJob",
		migrations: []string{jobsMigration},
		files: map[string][]string{
			"golang": slices.Concat([]string{"actions/cancel_job.go", "actions/cancel_job_test.go", "actions/job_answers.go"}, goJobs),
			"nestjs": nestFiles["cancelJob"],
			"python": {
				"actions/cancel_job.py", "actions/job_answers.py", "service/file_links.py", "service/jobs.py",
				"service/storage.py", "tests/jobs.py", "tests/s3_server.py", "tests/test_cancel_job.py",
				"tests/test_storage.py",
			},
		},
	},
	{
		name:       "bulkCreateUsers",
		migrations: []string{usersMigration, jobsMigration, "1700000000500_create_invitations"},
		files: map[string][]string{
			"golang": slices.Concat([]string{
				"actions/accept_invitation.go", "actions/accept_invitation.html", "actions/bulk_create_users.go",
				"actions/bulk_create_users_mail.go", "actions/bulk_create_users_mail.html",
				"actions/bulk_create_users_mail.txt", "actions/bulk_create_users_test.go", "internal/users/bulk.go",
				"internal/users/invitations.go",
			}, goUsers, goQueue),
			"nestjs": nestFiles["bulkCreateUsers"],
			"python": {
				"actions/accept_invitation.html", "actions/accept_invitation.py", "actions/bulk_create_users.py",
				"actions/bulk_create_users_mail.html", "actions/bulk_create_users_mail.py",
				"actions/bulk_create_users_mail.txt", "service/invitations.py", "service/queue.py",
				"service/user_rules.py", "tests/test_bulk_create_users.py",
			},
		},
	},
	{
		name:       "uploadAndProcessFile",
		migrations: []string{jobsMigration, "1700000000400_create_files"},
		files: map[string][]string{
			"golang": slices.Concat([]string{
				"actions/background_test.go", "actions/upload_and_process_file.go", "actions/upload_and_process_file_job.go",
				"actions/upload_and_process_file_test.go", "internal/files/content.go", "internal/files/csv.go",
				"internal/files/files.go", "internal/files/files_test.go", "internal/files/image.go", "internal/files/orientation.go",
			}, goJobs, goStorage),
			"nestjs": nestFiles["uploadAndProcessFile"],
			"python": {
				"actions/upload_and_process_file.py", "service/content.py", "service/file_links.py",
				"service/file_work.py", "service/files.py", "service/job_work.py", "service/jobs.py",
				"service/queue.py", "service/storage.py", "tests/jobs.py", "tests/s3_server.py",
				"tests/test_storage.py", "tests/test_upload_and_process_file.py",
			},
		},
	},
	{
		name:       "saveCrmIntegration",
		migrations: []string{crmMigration},
		files: map[string][]string{
			"golang": append([]string{"actions/save_crm_integration.go", "actions/save_crm_integration_test.go"}, goCRM...),
			"nestjs": nestFiles["saveCrmIntegration"],
			"python": {
				"actions/save_crm_integration.py", "service/crm.py", "service/crm_store.py", "service/encryption.py",
				"service/outbound.py", "tests/test_save_crm_integration.py",
			},
		},
	},
	{
		name:       "syncWithCrm",
		migrations: []string{crmMigration},
		files: map[string][]string{
			"golang": append([]string{"actions/sync_with_crm.go", "actions/sync_with_crm_test.go"}, goCRM...),
			"nestjs": nestFiles["syncWithCrm"],
			"python": {
				"actions/sync_with_crm.py", "service/crm.py", "service/crm_store.py", "service/encryption.py",
				"service/outbound.py", "tests/crm_server.py", "tests/test_sync_with_crm.py",
			},
		},
	},
}

// DocumentedAction is an action that comes with an implementation, ready to be declared in a project.
type DocumentedAction struct {
	Name string
	// SDL is the action's part of actions.graphql: its field of type Mutation or Query, and the custom types.
	SDL string
	// Migrations are the files that make its tables, under hasura/migrations/default. They belong to the user.
	Migrations []File

	yaml string
}

// YAML returns the action's entry of the list in actions.yaml, with a handler in the given runtime ("golang", "nestjs",
// "python"): a YAML mapping, not indented.
func (a DocumentedAction) YAML(runtime string) string {
	return strings.ReplaceAll(a.yaml, "{{RUNTIME_URL}}", "{{"+strings.ToUpper(runtime)+"_URL}}")
}

// Documented returns the documented action of that name, and whether there is one.
func Documented(name string) (DocumentedAction, bool) {
	i := slices.IndexFunc(documentedActions, func(d documented) bool { return d.name == name })
	if i < 0 {
		return DocumentedAction{}, false
	}
	d := documentedActions[i]
	a := DocumentedAction{
		Name: name,
		SDL:  string(embedded("actions/" + name + "/action.graphql")),
		yaml: string(embedded("actions/" + name + "/action.yaml")),
	}
	for _, m := range d.migrations {
		for _, file := range []string{"down.sql", "up.sql"} {
			p := path.Join("hasura/migrations/default", m, file)
			a.Migrations = append(a.Migrations, File{Path: p, Data: embedded(p), Mode: 0o644, Owner: OwnerUser})
		}
	}
	return a, true
}

// DocumentedNames lists the documented actions, in the order of the guide.
func DocumentedNames() []string {
	names := make([]string, len(documentedActions))
	for i, d := range documentedActions {
		names[i] = d.name
	}
	return names
}

// embedded returns a file of the templates. That it exists is certain at build time and checked by a test.
func embedded(name string) []byte {
	data, err := fs.ReadFile(templates.FS, name)
	if err != nil {
		panic(fmt.Sprintf("embedded template %s: %v", name, err))
	}
	return data
}

// types returns the action's declaration and custom types.
func (a DocumentedAction) types() (metadata.Action, metadata.CustomTypes, error) {
	actions, types, err := metadata.ParseSDL(a.SDL, a.Name+"/action.graphql")
	if err != nil || len(actions) != 1 {
		return metadata.Action{}, types, fmt.Errorf("documented action %s: %d actions in its SDL: %w", a.Name, len(actions), err)
	}
	return actions[0], types, nil
}

// implemented finds the documented actions whose implementation in a runtime fits the project, and the types to generate.
// An empty runtime stands for all.
func implemented(runtime string, in ServiceInput) (present map[string]bool, types metadata.CustomTypes, err error) {
	present, types = map[string]bool{}, in.Types
	for _, a := range in.Actions {
		doc, ok := Documented(a.Name)
		if !ok || !implements(runtime, a.Name) {
			continue
		}
		written, needed, err := doc.types()
		if err != nil {
			return nil, types, err
		}
		if types, ok = fit(a, written, types, needed); ok {
			present[a.Name] = true
		}
	}
	return present, types, nil
}

// implements says whether a runtime's template has the handler of a documented action.
func implements(runtime, action string) bool {
	return slices.ContainsFunc(documentedActions, func(d documented) bool {
		return d.name == action && d.implementedIn(runtime)
	})
}

// ownedByAbsent says whether a file of a runtime's template serves only documented actions that the project does not have.
func ownedByAbsent(runtime, name string, present map[string]bool) bool {
	owned := false
	for _, d := range documentedActions {
		if slices.Contains(d.files[runtime], name) {
			if present[d.name] {
				return false
			}
			owned = true
		}
	}
	return owned
}
