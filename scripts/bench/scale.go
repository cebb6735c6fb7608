package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const manyActions = 10000

// scale measures what 10,000 actions in the metadata cost, against one.
func (b *bench) scale() error {
	fmt.Printf("%d actions in the metadata, against 1\n", manyActions)
	root, err := os.MkdirTemp("", "nself-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	handler, err := startSelf("handler", "serve-handler")
	if err != nil {
		return err
	}
	defer handler.stop()
	var servers []*server
	defer func() { stopAll(servers) }()
	folders := map[int]string{}
	for _, n := range []int{1, manyActions} {
		folders[n] = filepath.Join(root, strconv.Itoa(n))
		if err := os.Mkdir(folders[n], 0o755); err != nil {
			return err
		}
		if err := writeMetadata(folders[n], n); err != nil {
			return err
		}
		// As nself up has it: a saved file is found within 100 ms.
		s, err := b.startGateway(fmt.Sprintf("%d actions", n), folders[n], handler.addr, "HASURA_GRAPHQL_SCHEMA_SYNC_POLL_INTERVAL=100")
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	loads, err := compare(servers, 9)
	if err != nil {
		return err
	}
	one, many := &loads[0], &loads[1]
	b.limit("CPU per request", fmt.Sprintf("%.1f µs", middle(many.micros)), fmt.Sprintf("1 action %.1f µs", middle(one.micros)),
		"ratio %.3f", many.against(one, micros), 1.1)
	if err := b.reload(servers[1], folders[manyActions]); err != nil {
		return err
	}
	now, err := servers[1].memory("VmRSS")
	if err != nil {
		return err
	}
	most, err := servers[1].memory("VmHWM")
	if err != nil {
		return err
	}
	b.limit("memory", fmt.Sprintf("%.0f MB", now), "resident, after the requests and reloads", "%.0f MB", now, 300)
	b.limit("memory at its peak", fmt.Sprintf("%.0f MB", most), "while it reloaded", "%.0f MB", most, 300)
	return nil
}

// reload measures reload_metadata, and how long a change of a file takes to be served.
func (b *bench) reload(s *server, folder string) error {
	var commands, changes []time.Duration
	for i := range 5 {
		began := time.Now()
		answer, err := post(s.addr, "/v1/metadata", `{"type":"reload_metadata","args":{}}`)
		if err != nil {
			return err
		}
		if !strings.Contains(answer, `"success"`) {
			return fmt.Errorf("reload_metadata: %s", answer)
		}
		commands = append(commands, time.Since(began))

		sdl := filepath.Join(folder, "actions.graphql")
		text, err := os.ReadFile(sdl)
		if err != nil {
			return err
		}
		// A field more: as soon as it is known the change is served.
		field := fmt.Sprintf("changed%d", i)
		text = bytes.Replace(text, []byte("type RegisterOutput {\n"), []byte("type RegisterOutput {\n  "+field+": String\n"), 1)
		began = time.Now()
		if err := os.WriteFile(sdl, text, 0o600); err != nil {
			return err
		}
		query := strings.Replace(benchGraphQL, "success message", "success message "+field, 1)
		for {
			if answer, err = post(s.addr, "/v1/graphql", query); err != nil {
				return err
			}
			if strings.Contains(answer, `"`+field+`":null`) {
				break
			}
			if time.Since(began) > 20*time.Second {
				return fmt.Errorf("a changed file is not served: %s", answer)
			}
			time.Sleep(5 * time.Millisecond)
		}
		changes = append(changes, time.Since(began))
	}
	b.limit("reload_metadata", ms(median(commands)), "median of 5", "%.0f ms", millis(median(commands)), 1000)
	b.limit("a file changes", ms(median(changes)), "until it is served, median of 5", "%.0f ms", millis(median(changes)), 1000)
	return nil
}

func post(addr, path, body string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", benchSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}
