package action

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0.0", "-0": "0.0", "1": "1.0", "-1.50": "-1.5", "0.1": "0.1", "0.01": "1.0e-2", "9999999": "9999999.0",
		"10000000": "1.0e7", "2147483648": "2.147483648e9", "3e10": "3.0e10", "12.5e-1": "1.25", "1E400": "1.0e400",
		"1e99999999999999999999": "1.0e2147483647", "0.0e5": "0.0", "123456.789": "123456.789",
	} {
		if got := parseDecimal(text).String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestAppendInteger(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"7": "7", "-0": "0", "3.0": "3", "2e3": "2000", "2147483647": "2147483647", "-2147483648": "-2147483648",
		"12.50e1": "125", "2147483648": "", "1.5": "", "1e99999999999": "", "1e-1": "",
	} {
		got, err := appendInteger(nil, text, 32)
		if (err != nil) != (want == "") || err == nil && string(got) != want {
			t.Errorf("%s: got %s, %v, want %q", text, got, err, want)
		}
	}
}

func TestErrorPath(t *testing.T) {
	t.Parallel()
	e := Invalid("m").Under("sku").UnderIndex(3).Under("odd key").Under("9").Under("a-b").Under("")
	want := `{"error":"m","path":"$[\"\"].a-b[\"9\"][\"odd key\"][3].sku","code":"validation-failed"}`
	if diff := cmp.Diff(want, string(e.AppendFlat(nil, true))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrorInternal(t *testing.T) {
	t.Parallel()
	e := &Error{Message: `a"`, Code: "c", Internal: json.RawMessage(`{"x":1}`)}
	for internal, want := range map[bool]string{
		true:  `{"errors":[{"message":"a\"","extensions":{"path":"$","code":"c","internal":{"x":1}}}]}`,
		false: `{"errors":[{"message":"a\"","extensions":{"path":"$","code":"c"}}]}`,
	} {
		if diff := cmp.Diff(want, string(e.AppendGraphQL(nil, internal))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestPostgresValues(t *testing.T) {
	t.Parallel()
	const labels = "Expecting label path: a sequence of zero or more labels separated by dots, for example L1.L2.L3"
	cases := []struct{ name, text, message string }{
		{"uuid", `"malformed"`, ""},
		{"uuid", `{}`, "parsing UUID failed, expected String, but encountered Object"},
		{"jsonb", `[1]`, ""},
		{"bigint", `9223372036854775807`, ""},
		{
			"bigint", `1e30`,
			"The value 1.0e30 lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?",
		},
		{
			"smallint", `40000`,
			"The value 40000.0 lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?",
		},
		{
			"smallint", `true`,
			"parsing Integer expected for input type: PGSmallInt failed, expected Number, but encountered Boolean",
		},
		{"float8", `"x"`, ""},
		{"float8", `1e308`, ""},
		{"float8", `1e309`, "The value 1.0e309 lies outside the bounds. Is it overflowing the float bounds?"},
		{
			"float8", `{}`,
			"parsing Float expected for input type: PGDouble failed, expected Number, but encountered Object",
		},
		{"numeric", `1e30`, ""},
		{"numeric", `[]`, "parsing Scientific failed, expected Number, but encountered Array"},
		{"date", `1`, "parsing Day failed, expected String, but encountered Number"},
		{"timestamp", `1`, "parsing LocalTime failed, expected String, but encountered Number"},
		{"timestamptz", `1`, "parsing UTCTime failed, expected String, but encountered Number"},
		{"bpchar", `1`, "parsing Char failed, expected String, but encountered Number"},
		{"citext", `1`, "parsing Text failed, expected String, but encountered Number"},
		{"lquery", `1`, "parsing Text failed, expected String, but encountered Number"},
		{"ltree", `"a.b_1"`, ""},
		{"ltree", `"a..b"`, labels},
		{"ltree", `1`, labels},
		{"raster", `"0a1F"`, ""},
		{"raster", `"0a1"`, "invalid hexadecimal representation of raster well known binary format"},
		{"raster", `1`, "expecting String for raster"},
		{"inet", `1`, "A string is expected for type: inet"},
		{"geography", `{"type":"Point"}`, ""},
	}
	for _, c := range cases {
		message := ""
		if err := checkPostgres(c.name, c.text); err != nil {
			message = err.Message
		}
		if diff := cmp.Diff(c.message, message); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.name, c.text, diff)
		}
	}
}

// TestNoAllocations holds that the usual call is coerced and its answer projected without garbage.
func TestNoAllocations(t *testing.T) {
	str := &Type{Kind: BuiltinScalar, Name: "String"}
	item := &Type{
		Kind:   InputObject,
		Name:   "Item",
		Fields: []*Field{{Name: "sku", Type: &TypeRef{Named: str, NonNull: true}}},
	}
	list := &TypeRef{Elem: &TypeRef{Named: item, NonNull: true}}
	line := &Type{Kind: Object, Name: "Line", Fields: []*Field{{Name: "sku", Type: &TypeRef{Named: str}}}}
	receipt := &Type{Kind: Object, Name: "Receipt", Fields: []*Field{
		{
			Name: "id",
			Type: &TypeRef{Named: str, NonNull: true},
		}, {Name: "lines", Type: &TypeRef{Elem: &TypeRef{Named: line}}},
	}}
	sel := &Selection{Object: receipt, Fields: []SelectedField{
		{
			Key:   "id",
			Index: 0,
		}, {Key: "lines", Index: 1, Sub: &Selection{Object: line, Fields: []SelectedField{{Key: "sku", Index: 0}}}},
	}}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := CoerceJSON(buf, list, `[{"sku":"a"},{"sku":"b"}]`); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("coercion allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Result(buf, &TypeRef{Named: receipt}, sel, `{"id":"1","lines":[{"sku":"a"},null]}`); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("projection allocates %v times", n)
	}
}
