package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// step is one request of a case file.
type step struct {
	Description string            `yaml:"description"`
	URL         string            `yaml:"url"`
	Headers     map[string]string `yaml:"headers"`
	Query       yaml.Node         `yaml:"query"`
	Status      int               `yaml:"status"`
	Response    yaml.Node         `yaml:"response"`
}

// readSteps reads a case file.
func readSteps(path string) ([]step, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.SequenceNode {
		var steps []step
		err = doc.Decode(&steps)
		return steps, err
	}
	var one step
	err = doc.Decode(&one)
	return []step{one}, err
}

// readBody reads a setup or teardown file as JSON.
func readBody(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	return toJSON(&doc)
}

// toJSON writes a YAML value as compact JSON whose keys have the order of the file.
func toJSON(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	err := appendJSON(&b, n)
	return b.Bytes(), err
}

func appendJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return appendJSON(b, n.Content[0])
	case yaml.AliasNode:
		return appendJSON(b, n.Alias)
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			key, err := json.Marshal(n.Content[i].Value)
			if err != nil {
				return err
			}
			b.Write(key)
			b.WriteByte(':')
			if err := appendJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := appendJSON(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	default:
		return appendScalar(b, n)
	}
}

func appendScalar(b *bytes.Buffer, n *yaml.Node) error {
	var v any
	switch n.Tag {
	case "!!null":
	case "!!bool":
		parsed, err := strconv.ParseBool(n.Value)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		v = parsed
	case "!!int", "!!float":
		v = json.Number(n.Value)
	default:
		v = n.Value
	}
	out, err := json.Marshal(v)
	b.Write(out)
	return err
}
