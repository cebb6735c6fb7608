package cli

import "testing"

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"shop": "shop", "../läden/shop-2": "../läden/shop-2", "my shop": "'my shop'", "it's": `'it'\''s'`, "a;b": "'a;b'", "$HOME": "'$HOME'",
	} {
		if got := shellQuote(text); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", text, got, want)
		}
	}
}
