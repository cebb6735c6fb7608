package observe

import "go.opentelemetry.io/otel/attribute"

// The names are OpenTelemetry's semantic conventions for resources.
func serviceName(name string) attribute.KeyValue { return attribute.String("service.name", name) }

func serviceVersion(version string) attribute.KeyValue {
	return attribute.String("service.version", version)
}
