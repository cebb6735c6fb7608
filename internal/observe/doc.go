// Package observe counts what the gateway does, for Prometheus, and sends traces to an OpenTelemetry collector.
package observe
