package actions

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/crm"
)

// newCRM starts a service, and connects alice's CRM, which answers with the given status and body.
func newCRM(t *testing.T, status int, body string) *testService {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(srv.Close)
	s := newService(t, serviceOptions{env: map[string]string{
		"ENCRYPTION_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "CRM_ALLOWED_HOSTS": "127.0.0.1",
	}})
	if err := crm.NewStore(s.deps.DB, s.deps.Env).Save(t.Context(), alice, crm.Integration{
		Endpoint: srv.URL, APIKey: config.Secret("crm-secret-key"),
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

const twoContacts = `{"input":{"contacts":[{"email":"a@x.co","name":"A","phone":"+1"},{"email":"b@x.co","name":"B\u0000"}]}}`

func TestSyncWithCrm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body   string
		status       int
		want, stored string
	}{
		{"all", "", 200, "true 2 0 CRM sync completed successfully <nil> <nil> <nil>", "a@x.co SYNCED - b@x.co SYNCED -"},
		{
			"some", `{"results":[{"email":"b@x.co","success":false,"error":"no"}]}`, 200,
			"false 1 1 CRM sync completed with failures <nil> <nil> <nil>", "a@x.co SYNCED - b@x.co FAILED no",
		},
		{
			"key", "", 401, "false 0 2 CRM sync failed CRM refused the API key <nil> <nil>",
			"a@x.co FAILED CRM refused the API key b@x.co FAILED CRM refused the API key",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newCRM(t, tt.status, tt.body)
			status, got := s.post(t, "sync-with-crm", fmt.Sprintf(userBody, twoContacts, alice))
			text := fmt.Sprint(got["success"], " ", got["synced_count"], " ", got["failed_count"], " ", got["message"], " ", got["error"],
				" ", got["errors"], " ", got["error_code"])
			if status != http.StatusOK || text != tt.want {
				t.Errorf("got status %d, %s", status, text)
			}
			var stored string
			if err := s.deps.DB.QueryRow(t.Context(), `SELECT string_agg(concat_ws(' ', email, status, coalesce(error, '-')), ' ' ORDER BY email)
				FROM crm_contacts WHERE user_id = $1 AND (synced_at IS NULL) = (status = 'FAILED')`, alice).Scan(&stored); err != nil || stored != tt.stored {
				t.Errorf("stored %q, %v", stored, err)
			}
			if strings.Contains(s.log.String(), "crm-secret-key") {
				t.Error("the log holds the key")
			}
		})
	}
}

func TestSyncWithCrmRefuses(t *testing.T) {
	t.Parallel()
	s := newCRM(t, 200, "")
	_, got := s.post(t, "sync-with-crm", fmt.Sprintf(userBody, twoContacts, bob))
	if fmt.Sprint(got) != "map[error:No CRM integration is set up error_code:CRM_NOT_CONFIGURED errors:<nil> failed_count:2 "+
		"message:CRM sync failed success:false synced_count:0]" {
		t.Errorf("without an integration: %v", got)
	}
	if _, err := s.deps.DB.Exec(t.Context(), "UPDATE crm_integrations SET api_key_encrypted = 'x'"); err != nil {
		t.Fatal(err)
	}
	if _, got = s.post(t, "sync-with-crm", fmt.Sprintf(userBody, twoContacts, alice)); got["error_code"] != "CRM_KEY_UNREADABLE" {
		t.Errorf("with an unreadable key: %v", got)
	}
	if _, got = s.post(t, "sync-with-crm", fmt.Sprintf(userBody, `{"input":{"contacts":[]}}`, alice)); fmt.Sprint(got["errors"]) !=
		"[map[code:REQUIRED_FIELD field:contacts message:At least one contact is required]]" {
		t.Errorf("no contacts: %v", got)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"email":"a@x.co","name":"A"},`, maxContacts+1), ",")
	if _, got = s.post(t, "sync-with-crm", fmt.Sprintf(userBody, `{"input":{"contacts":[`+many+`]}}`, alice)); fmt.Sprint(got["errors"]) !=
		"[map[code:TOO_MANY_CONTACTS field:contacts message:At most 5,000 contacts can be synced at once]]" {
		t.Errorf("too many contacts: %v", got)
	}
	if status, _ := s.post(t, "sync-with-crm", twoContacts); status != http.StatusUnauthorized {
		t.Errorf("without a user: got status %d", status)
	}
}
