package gateway

import "math/rand/v2"

// newRequestID makes a random UUID. It names a request in logs and guards nothing, so a fast generator is enough.
func newRequestID() string {
	const hex = "0123456789abcdef"
	hi, lo := rand.Uint64(), rand.Uint64() //nolint:gosec // see above
	hi = hi&^0xf000 | 0x4000               // version 4
	lo = lo&^(3<<62) | 1<<63               // RFC 9562 variant
	var b [36]byte
	at := 0
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b[at] = '-'
			at++
		}
		word := hi
		if i >= 16 {
			word = lo
		}
		b[at] = hex[word>>(60-4*(i%16))&15]
		at++
	}
	return string(b[:])
}

// hexID writes n random hexadecimal digits, at most 32.
func hexID(n int) string {
	const hex = "0123456789abcdef"
	var b [32]byte
	for i := 0; i < n; i += 16 {
		word := rand.Uint64() //nolint:gosec // it names a trace and guards nothing
		for j := i; j < i+16; j++ {
			b[j] = hex[word&15]
			word >>= 4
		}
	}
	return string(b[:n])
}
