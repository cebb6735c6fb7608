package observe

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/gateway"
)

const (
	// maxActions bounds the actions with metrics of their own. Each costs about 4 KiB here and 25 series in Prometheus.
	maxActions = 1000
	// otherActions is the label of all further ones. It is no name that GraphQL allows.
	otherActions = "(others)"
	// depthTimeout bounds counting the action log while Prometheus waits, whose own limit is 10 s.
	depthTimeout = 5 * time.Second
	// depthAge is how old the counts may be: they read the whole log, and several may ask.
	depthAge = 5 * time.Second
)

// Options configure [New]. The zero value counts requests and calls.
type Options struct {
	// ActionLog is counted when the metrics are read. Nil: there is none.
	ActionLog interface {
		Depth(ctx context.Context) ([]actionlog.Depth, error)
	}
	// WebSockets counts open connections. Nil: there are none.
	WebSockets func() int
	// Log gets what goes wrong. Nil: nobody does.
	Log *slog.Logger
}

// Metrics are those of one gateway. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests [gateway.Endpoints][2]prometheus.Counter // by outcome: succeeded, failed
	duration [gateway.Endpoints]prometheus.Observer

	calls    *prometheus.CounterVec
	callTime *prometheus.HistogramVec
	served   prometheus.Gauge
	faulty   prometheus.Gauge
	loads    prometheus.Counter

	mu      sync.Mutex
	actions map[string]*actionMetrics
}

var _ gateway.Observer = (*Metrics)(nil)

// New makes the metrics. Reading them is [Metrics.Handler]'s.
func New() *Metrics {
	// From a local handler's answer to Hasura's default timeout of 30 s and beyond.
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nself_action_calls_total",
			Help: "Calls of actions' handlers, by the class of the answer's status; none: no answer.",
		}, []string{"action", "status"}),
		callTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nself_action_call_duration_seconds", Help: "How long actions' handlers took.", Buckets: buckets,
		}, []string{"action"}),
		served: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "nself_metadata_actions", Help: "Actions that are served.",
		}),
		faulty: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "nself_metadata_inconsistencies", Help: "Inconsistent objects, which are not served.",
		}),
		loads: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "nself_metadata_loads_total", Help: "How often metadata came into force.",
		}),
		actions: map[string]*actionMetrics{},
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nself_requests_total",
		Help: "Requests, and operations on WebSockets; failed: the answer is an error, whatever its HTTP status.",
	}, []string{"endpoint", "result"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "nself_request_duration_seconds", Help: "How long answers took.", Buckets: buckets,
	}, []string{"endpoint"})
	for at := range gateway.Endpoints {
		m.requests[at] = [2]prometheus.Counter{
			requests.WithLabelValues(at.String(), "ok"), requests.WithLabelValues(at.String(), "failed"),
		}
		m.duration[at] = duration.WithLabelValues(at.String())
	}
	m.registry.MustRegister(requests, duration, m.calls, m.callTime, m.served, m.faulty, m.loads,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers with the metrics in Prometheus' text format. Its options are those of things that exist only after the
// metrics do. It must be called once at most.
func (m *Metrics) Handler(o Options) http.Handler {
	if o.ActionLog != nil {
		m.registry.MustRegister(&depthCollector{log: o.ActionLog.Depth, faults: o.Log})
	}
	if o.WebSockets != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hasura_websocket_connections", Help: "Open WebSockets.",
		}, func() float64 { return float64(o.WebSockets()) }))
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request implements [gateway.Observer].
func (m *Metrics) Request(at gateway.Endpoint, _ int, failed bool, took time.Duration) {
	result := 0
	if failed {
		result = 1
	}
	m.requests[at][result].Inc()
	m.duration[at].Observe(took.Seconds())
}

// Loaded implements [gateway.Observer]. Metrics of actions that are gone are dropped.
func (m *Metrics) Loaded(actions []string, inconsistencies int) {
	m.loads.Inc()
	m.served.Set(float64(len(actions)))
	m.faulty.Set(float64(inconsistencies))
	keep := make(map[string]bool, len(actions))
	for _, name := range actions {
		keep[name] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.actions {
		if keep[name] || name == otherActions {
			continue
		}
		delete(m.actions, name)
		m.calls.DeletePartialMatch(prometheus.Labels{"action": name})
		m.callTime.DeleteLabelValues(name)
	}
}

// Action implements [gateway.Observer].
func (m *Metrics) Action(name string) gateway.CallObserver {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.actions[name]; a != nil {
		return a
	}
	if len(m.actions) >= maxActions {
		name = otherActions
		if a := m.actions[name]; a != nil {
			return a
		}
	}
	a := &actionMetrics{duration: m.callTime.WithLabelValues(name)}
	for class, label := range [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		a.calls[class] = m.calls.WithLabelValues(name, label)
	}
	m.actions[name] = a
	return a
}

// actionMetrics are those of one action, or of all that have none of their own.
type actionMetrics struct {
	calls    [6]prometheus.Counter // by class of the status
	duration prometheus.Observer
}

// Call implements [gateway.CallObserver].
func (a *actionMetrics) Call(status int, took time.Duration) {
	class := status / 100
	if class >= len(a.calls) {
		class = len(a.calls) - 1
	}
	a.calls[class].Inc()
	a.duration.Observe(took.Seconds())
}

// depthCollector counts the action log.
type depthCollector struct {
	log    func(ctx context.Context) ([]actionlog.Depth, error)
	faults *slog.Logger

	mu    sync.Mutex
	at    time.Time
	depth []actionlog.Depth
}

func (c *depthCollector) desc() *prometheus.Desc {
	return prometheus.NewDesc("nself_action_log_entries", "Entries of the log of asynchronous actions.",
		[]string{"action", "status"}, nil)
}

// Describe implements [prometheus.Collector].
func (c *depthCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc() }

// Collect implements [prometheus.Collector]. A log that cannot be read has no metrics, which an alert can see.
func (c *depthCollector) Collect(metrics chan<- prometheus.Metric) {
	desc := c.desc()
	for key, rows := range bounded(c.count()) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(rows), key.Action, string(key.Status))
	}
}

func (c *depthCollector) count() []actionlog.Depth {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < depthAge {
		return c.depth
	}
	ctx, cancel := context.WithTimeout(context.Background(), depthTimeout)
	defer cancel()
	depth, err := c.log(ctx)
	if err != nil && c.faults != nil {
		c.faults.WarnContext(ctx, "action log not counted", slog.String("error", err.Error()))
	}
	c.at, c.depth = time.Now(), depth
	return depth
}

// bounded sums up the actions beyond the first ones by name.
func bounded(depth []actionlog.Depth) map[actionlog.Depth]int64 {
	sums := map[actionlog.Depth]int64{}
	names := map[string]bool{}
	for _, d := range depth {
		key := actionlog.Depth{Action: cmp.Or(d.Action, otherActions), Status: d.Status}
		if !names[key.Action] && len(names) >= maxActions {
			key.Action = otherActions
		} else {
			names[key.Action] = true
		}
		sums[key] += d.Rows
	}
	return sums
}
