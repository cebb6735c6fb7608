package cli

import (
	"strings"

	"github.com/agext/levenshtein"
)

// nearest returns the candidate that name is most likely a typo of, or "".
func nearest(name string, candidates []string) string {
	best, bestDistance := "", 1+max(1, len(name)/3) // a third of the letters may be wrong
	for _, c := range candidates {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(c), nil); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}
