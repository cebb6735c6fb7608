package metadataapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/metadataapi"
	"github.com/nself-org/nself/internal/pgtest"
)

// TestStores specifies what every store that can be written does.
func TestStores(t *testing.T) {
	t.Parallel()
	stores := map[string]func(*testing.T) metadataapi.Store{
		"memory": func(t *testing.T) metadataapi.Store { t.Helper(); return memoryStore(t) },
		"postgres": func(t *testing.T) metadataapi.Store {
			t.Helper()
			store, err := metadataapi.NewPostgresStore(t.Context(), newPool(t, pgtest.Start(t)), emptyDocument())
			if err != nil {
				t.Fatal(err)
			}
			return store
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStore(t, open(t))
		})
	}
}

func testStore(t *testing.T, store metadataapi.Store) {
	t.Helper()
	ctx := t.Context()
	md, version, err := store.Load(ctx)
	if err != nil || version != 1 {
		t.Fatalf("version %d, error %v", version, err)
	}
	if len(md.TrackedTables()) != 1 {
		t.Errorf("sources %s, want those of the beginning", md.Rest["sources"])
	}
	md.CustomTypes.Scalars = append(md.CustomTypes.Scalars, metadata.Scalar{Name: "Money"})
	if version, err = store.Save(ctx, md, 1); err != nil || version != 2 {
		t.Fatalf("save: version %d, error %v", version, err)
	}
	if _, err := store.Save(ctx, emptyDocument(), 1); !errors.Is(err, metadataapi.ErrConflict) {
		t.Errorf("save on an old version: %v, want ErrConflict", err)
	}
	got, version, err := store.Load(ctx)
	if err != nil || version != 2 || len(got.CustomTypes.Scalars) != 1 {
		t.Errorf("version %d, types %+v, error %v", version, got.CustomTypes, err)
	}
	if version, err := store.Version(ctx); err != nil || version != 2 {
		t.Errorf("version %d, error %v", version, err)
	}
	// Of many writers on one version one wins.
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		wins int
	)
	for range 8 {
		wg.Go(func() {
			_, err := store.Save(ctx, md, 2)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				wins++
			case !errors.Is(err, metadataapi.ErrConflict):
				t.Errorf("save: %v", err)
			}
		})
	}
	wg.Wait()
	if version, err := store.Version(ctx); err != nil || version != 3 || wins != 1 {
		t.Errorf("%d writers won, version %d, error %v", wins, version, err)
	}
}

// TestPostgresStoreSurvives: the table is made once, and what is in it stays.
func TestPostgresStoreSurvives(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	var wg sync.WaitGroup
	for range 4 { // gateways that start at the same time
		wg.Go(func() {
			if _, err := metadataapi.NewPostgresStore(t.Context(), newPool(t, url), emptyDocument()); err != nil {
				t.Errorf("first start: %v", err)
			}
		})
	}
	wg.Wait()
	open := func() *fixture {
		store, err := metadataapi.NewPostgresStore(t.Context(), newPool(t, url), &metadata.Metadata{Version: 3})
		if err != nil {
			t.Fatal(err)
		}
		return newFixture(t, metadataapi.Options{Store: store})
	}
	open().must(t, metadataPath, createPing)
	again := open()
	if got := again.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); !strings.Contains(got, `"ping"`) {
		t.Errorf("after a restart: %s", got)
	}
}

// TestTwoGateways: changes through one are noticed by the other, at the latest when it is to make a change itself.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	var gateways [2]*fixture
	for i := range gateways {
		store, err := metadataapi.NewPostgresStore(t.Context(), newPool(t, url), emptyDocument())
		if err != nil {
			t.Fatal(err)
		}
		gateways[i] = newFixture(t, metadataapi.Options{Store: store, PollInterval: time.Millisecond})
	}
	a, b := gateways[0], gateways[1]
	a.must(t, metadataPath, createPing)
	if status, answer := b.send(t, metadataPath, createPing); !strings.Contains(answer, "already exists") {
		t.Errorf("the other gateway does not know the action: %d: %s", status, answer)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.api.Run(ctx) }()
	a.must(t, metadataPath, `{"type":"drop_action","args":{"name":"ping"}}`)
	graphql := func() string {
		_, answer := b.send(t, "/v1/graphql", `{"query":"mutation { ping }"}`)
		return answer
	}
	waitFor(t, func() bool { return strings.Contains(graphql(), "no mutations exist") })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	// Writers that take turns without waiting for each other lose no change.
	var wg sync.WaitGroup
	for i, f := range gateways {
		for n := range 5 {
			name := string(rune('a'+i)) + string(rune('a'+n))
			wg.Go(func() {
				for {
					status, answer := f.send(t, metadataPath, `{"type":"create_action","args":{"name":"`+name+
						`","definition":{"handler":"http://h","output_type":"String"}}}`)
					if status == http.StatusOK {
						return
					}
					if status != http.StatusConflict {
						t.Errorf("%s: status %d: %s", name, status, answer)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if got := strings.Count(a.must(t, metadataPath, `{"type":"export_metadata","args":{}}`), `"handler"`); got != 10 {
		t.Errorf("%d actions, want 10", got)
	}
}

// waitFor polls until something is so; what never is fails the test.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("it did not happen within a minute")
		}
	}
}

const projectSDL = `# the shop's actions
type Mutation {
  ping: String!
}
`

const projectYAML = `actions:
  # answers
  - name: ping
    definition:
      kind: synchronous
      handler: '{{HANDLER}}/ping'
custom_types: {enums: [], input_objects: [], objects: [], scalars: []}
`

// project writes a project's metadata and returns its folder.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, metadata.SDLFile, projectSDL)
	write(t, dir, metadata.YAMLFile, projectYAML)
	write(t, dir, metadata.Folder+"/version.yaml", "version: 3\n")
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDirectory: a project's files are read and followed, and never written.
func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := project(t)
	f := newFixture(t, metadataapi.Options{Store: metadataapi.NewDirStore(dir), PollInterval: time.Millisecond})
	exported := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
	if !strings.Contains(exported, `"ping"`) {
		t.Fatalf("export: %s", exported)
	}
	status, answer := f.send(t, metadataPath, `{"type":"drop_action","args":{"name":"ping"}}`)
	const want = `{"error":"the metadata is that of the project's files and cannot be changed over the API: ` +
		`edit the files in ` +
		`hasura/metadata","path":"$","code":"not-supported"}`
	if status != http.StatusBadRequest || answer != want {
		t.Errorf("status %d: %s", status, answer)
	}
	if got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); got != exported {
		t.Errorf("the refused change is in force: %s", got)
	}
	// What the files already say may be "changed": so does the Hasura CLI when it applies them.
	f.must(t, metadataPath, `{"type":"replace_metadata","version":2,"args":{"metadata":`+exported+`}}`)
	for name, want := range map[string]string{metadata.SDLFile: projectSDL, metadata.YAMLFile: projectYAML} {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.api.Run(ctx) }()
	shows := func(text string) func() bool {
		return func() bool {
			_, answer := f.send(t, "/v1/graphql", `{"query":"{ __type(name: \"mutation_root\") { fields { name } } }"}`)
			return strings.Contains(answer, `"`+text+`"`)
		}
	}
	write(t, dir, metadata.SDLFile, strings.ReplaceAll(projectSDL, "ping", "hello"))
	write(t, dir, metadata.YAMLFile, strings.ReplaceAll(projectYAML, "ping", "hello"))
	waitFor(t, shows("hello"))
	write(t, dir, metadata.SDLFile, "type Mutation {") // a fault leaves the last good state
	status, answer = f.send(t, metadataPath, `{"type":"reload_metadata","args":{}}`)
	if status != http.StatusInternalServerError || !strings.Contains(answer, metadata.SDLFile) {
		t.Errorf("status %d: %s", status, answer)
	}
	if !shows("hello")() {
		t.Error("the last good state is gone")
	}
	write(t, dir, metadata.SDLFile, projectSDL)
	write(t, dir, metadata.YAMLFile, projectYAML)
	waitFor(t, shows("ping"))
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestBrokenAtStart: a gateway whose metadata cannot be read starts, and serves it once it can.
func TestBrokenAtStart(t *testing.T) {
	t.Parallel()
	dir := project(t)
	write(t, dir, metadata.SDLFile, "type Mutation {")
	var log strings.Builder
	f := newFixture(t, metadataapi.Options{
		Store: metadataapi.NewDirStore(dir),
		Log:   slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if !strings.Contains(log.String(), "metadata not loaded") || !strings.Contains(log.String(), metadata.SDLFile) {
		t.Errorf("log: %s", log.String())
	}
	if got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); got != `{"version":3,"sources":[]}` {
		t.Errorf("export: %s", got)
	}
	write(t, dir, metadata.SDLFile, projectSDL)
	if err := f.api.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); !strings.Contains(got, `"ping"`) {
		t.Errorf("export: %s", got)
	}
}

// lostStore fails in the way it is told.
type lostStore struct {
	metadataapi.Store
	load, save error
}

func (s *lostStore) Save(ctx context.Context, md *metadata.Metadata, expected int64) (int64, error) {
	if s.save != nil {
		return 0, s.save
	}
	return s.Store.Save(ctx, md, expected)
}

func (s *lostStore) Version(ctx context.Context) (int64, error) {
	if s.load != nil {
		return 0, s.load
	}
	return s.Store.Version(ctx)
}

// hungStore does not answer, until it is mended.
type hungStore struct {
	metadataapi.Store
	asked atomic.Int64
	hangs atomic.Bool
}

func (s *hungStore) Version(ctx context.Context) (int64, error) {
	s.asked.Add(1)
	if s.hangs.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return s.Store.Version(ctx)
}

// TestHungStore: a database that does not answer is given up and asked again, and holds nobody up for long.
func TestHungStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &hungStore{Store: memoryStore(t)}
		f := newFixture(t, metadataapi.Options{Store: store})
		store.hangs.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.api.Run(ctx) }()
		began, asked := time.Now(), store.asked.Load()
		if status, answer := f.send(t, metadataPath, createPing); status != http.StatusInternalServerError {
			t.Errorf("got %d %s", status, answer)
		}
		f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
		if err := f.api.Healthy(t.Context()); err == nil {
			t.Error("the store counts as healthy")
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it took %s", took)
		}
		<-time.After(time.Minute)
		if times := store.asked.Load() - asked; times < 10 {
			t.Errorf("it was asked %d times only", times)
		}
		store.hangs.Store(false)
		f.must(t, metadataPath, createPing)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// slowStore loads when it is told to.
type slowStore struct {
	metadataapi.Store
	loads chan struct{} // nil: at once
}

func (s *slowStore) Load(ctx context.Context) (*metadata.Metadata, int64, error) {
	if s.loads != nil {
		<-s.loads
	}
	return s.Store.Load(ctx)
}

// TestReadsWhatTheStoreHas: a command that only reads does not answer with less than the store had when it came, though
// another is loading that at the moment; with nothing new in the store, it waits for nobody.
func TestReadsWhatTheStoreHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Store: memoryStore(t)}
		f := newFixture(t, metadataapi.Options{Store: store})
		export := func() (answer func() string) {
			var text string
			go func() { text = f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`) }()
			return func() string { return text }
		}
		store.loads = make(chan struct{})
		reload := func() {
			go func() {
				if err := f.api.Reload(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		reload()
		unchanged := export()
		if synctest.Wait(); unchanged() == "" {
			t.Error("an export waits for one who loads what is in force")
		}
		store.loads <- struct{}{}
		synctest.Wait()

		md := emptyDocument()
		md.CustomTypes.Scalars = []metadata.Scalar{{Name: "Money"}}
		if _, err := store.Save(t.Context(), md, 1); err != nil {
			t.Fatal(err)
		}
		reload()
		changed := export()
		synctest.Wait()
		close(store.loads)
		if synctest.Wait(); !strings.Contains(changed(), "Money") {
			t.Errorf("the export is older than the store: %s", changed())
		}
	})
}

// TestNothingIsServedThatIsNotStored: a change that could not be stored is not in force.
func TestNothingIsServedThatIsNotStored(t *testing.T) {
	t.Parallel()
	store := &lostStore{Store: memoryStore(t)}
	f := newFixture(t, metadataapi.Options{Store: store})
	for want, err := range map[int]error{
		http.StatusConflict: metadataapi.ErrConflict, http.StatusInternalServerError: errors.New("disk full"),
	} {
		store.save = err
		if status, answer := f.send(t, metadataPath, createPing); status != want {
			t.Errorf("%v: status %d, want %d: %s", err, status, want, answer)
		}
		_, answer := f.send(t, "/v1/graphql", `{"query":"mutation { ping }"}`)
		if !strings.Contains(answer, "no mutations exist") {
			t.Errorf("%v: the action is served: %s", err, answer)
		}
	}
	store.save = nil
	store.load = errors.New("connection refused")
	if status, answer := f.send(t, metadataPath, createPing); status != http.StatusInternalServerError {
		t.Errorf("status %d: %s", status, answer)
	}
	// What is in force can be looked at all the same.
	f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
	store.load = nil
	f.must(t, metadataPath, createPing)
}
