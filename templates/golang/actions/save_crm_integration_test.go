package actions

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// encryptionKeyForTests is 32 bytes in base64.
const encryptionKeyForTests = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func TestSaveCrmIntegration(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{env: map[string]string{"ENCRYPTION_KEY": encryptionKeyForTests}})
	const input = `{"input":{"endpoint":"https://%s/v1","api_key":" crm-secret-key "}}`
	for _, host := range []string{"8.8.8.8", "1.1.1.1"} { // the second replaces the first
		status, got := s.post(t, "save-crm-integration", fmt.Sprintf(userBody, fmt.Sprintf(input, host), alice))
		if status != http.StatusOK || fmt.Sprint(got) != "map[error_code:<nil> errors:<nil> message:CRM integration saved success:true]" {
			t.Errorf("got status %d, %v", status, got)
		}
	}
	var endpoint string
	var sealed []byte
	if err := s.deps.DB.QueryRow(t.Context(), "SELECT endpoint, api_key_encrypted FROM crm_integrations WHERE user_id = $1", alice).
		Scan(&endpoint, &sealed); err != nil || endpoint != "https://1.1.1.1/v1" || strings.Contains(string(sealed), "crm-secret-key") {
		t.Errorf("%s, %q, %v", endpoint, sealed, err)
	}
	if strings.Contains(s.log.String(), "crm-secret-key") {
		t.Error("the log holds the key")
	}
	if status, _ := s.post(t, "save-crm-integration", fmt.Sprintf(input, "8.8.8.8")); status != http.StatusUnauthorized {
		t.Errorf("without a user: got status %d", status)
	}
}

func TestSaveCrmIntegrationRefuses(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	for i, tt := range []struct{ endpoint, key, want string }{
		{"", "", "endpoint REQUIRED_FIELD api_key REQUIRED_FIELD"},
		{"http://8.8.8.8", "k", "endpoint INVALID_URL"},
		{"https://169.254.169.254/latest", "k", "endpoint FORBIDDEN_TARGET"},
		{"https://8.8.8.8", "two words", "api_key INVALID_FORMAT"},
		{"https://8.8.8.8", "clé", "api_key INVALID_FORMAT"},
		{"https://8.8.8.8", strings.Repeat("k", 4097), "api_key INVALID_FORMAT"},
	} {
		user := fmt.Sprintf("a11ce000-0000-4000-8000-00000000010%d", i) // the limiter counts calls by user
		_, got := s.post(t, "save-crm-integration", fmt.Sprintf(userBody, fmt.Sprintf(`{"input":{"endpoint":%q,"api_key":%q}}`, tt.endpoint, tt.key), user))
		var faults []string
		list, _ := got["errors"].([]any)
		for _, f := range list {
			fault, _ := f.(map[string]any)
			faults = append(faults, fmt.Sprint(fault["field"]), fmt.Sprint(fault["code"]))
		}
		if strings.Join(faults, " ") != tt.want || got["error_code"] != "VALIDATION_ERROR" {
			t.Errorf("%s, %.10s: got %v", tt.endpoint, tt.key, got)
		}
	}
	_, got := s.post(t, "save-crm-integration", fmt.Sprintf(userBody, `{"input":{"endpoint":"https://8.8.8.8","api_key":"k"}}`, alice))
	if got["success"] != false || got["message"] != "Encryption is not configured" || got["error_code"] != "ENCRYPTION_NOT_CONFIGURED" ||
		!strings.Contains(s.log.String(), "ENCRYPTION_KEY") {
		t.Errorf("without ENCRYPTION_KEY: %v", got)
	}
}
