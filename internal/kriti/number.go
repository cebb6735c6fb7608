package kriti

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// maxExponent bounds the exponents that are told apart; what is beyond is beyond every real number's range too.
const maxExponent = 1_000_000_000

// decimal is a number as digits times a power of ten: exact, and cheap to compare however large the exponent is.
type decimal struct {
	negative bool
	digits   string // without leading zeros; "" is zero
	exponent int
}

// parseDecimal reads JSON number text.
func parseDecimal(text string) decimal {
	var d decimal
	if strings.HasPrefix(text, "-") {
		d.negative, text = true, text[1:]
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(strings.TrimPrefix(text[i+1:], "+"))
		if err != nil { // out of int's range
			exponent = maxExponent
			if strings.HasPrefix(text[i+1:], "-") {
				exponent = -maxExponent
			}
		}
		d.exponent = max(-maxExponent, min(maxExponent, exponent))
		text = text[:i]
	}
	if i := strings.IndexByte(text, '.'); i >= 0 {
		d.exponent -= len(text) - i - 1
		text = text[:i] + text[i+1:]
	}
	d.digits = strings.TrimLeft(text, "0")
	return d
}

// reduce removes trailing zeros of the digits.
func (d decimal) reduce() decimal {
	trimmed := strings.TrimRight(d.digits, "0")
	d.exponent += len(d.digits) - len(trimmed)
	d.digits = trimmed
	if trimmed == "" {
		d = decimal{}
	}
	return d
}

// compare orders two numbers.
func (d decimal) compare(e decimal) int {
	d, e = d.reduce(), e.reduce()
	sign := func(x decimal) int {
		switch {
		case x.digits == "":
			return 0
		case x.negative:
			return -1
		}
		return 1
	}
	if c := cmp.Compare(sign(d), sign(e)); c != 0 || d.digits == "" {
		return c
	}
	c := cmp.Compare(d.exponent+len(d.digits), e.exponent+len(e.digits))
	if c == 0 {
		c = strings.Compare(d.digits, e.digits)
	}
	if d.negative {
		return -c
	}
	return c
}

// int returns the number when it is a whole one that fits.
func (d decimal) int() (int, bool) {
	d = d.reduce()
	if d.digits == "" {
		return 0, true
	}
	if d.exponent < 0 || d.exponent+len(d.digits) > 19 {
		return 0, false
	}
	text := d.digits + strings.Repeat("0", d.exponent)
	if d.negative {
		text = "-" + text
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// isPlainInteger tells whether number text is a whole number in its canonical spelling.
func isPlainInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits[0] == '0' && text != "0" {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// canonicalNumber spells number text as aeson does: whole numbers up to 10^1024 in full, numbers written with
// decimals in positional notation from 0.1 up to ten million and in scientific notation elsewhere.
func canonicalNumber(text string) string {
	if isPlainInteger(text) {
		return text
	}
	d := parseDecimal(text)
	sign := ""
	if d.negative && d.digits != "" {
		sign = "-"
	}
	if d.exponent >= 0 && d.exponent <= 1024 {
		if d.digits == "" {
			return "0"
		}
		return sign + d.digits + strings.Repeat("0", d.exponent)
	}
	d = d.reduce()
	if d.digits == "" {
		return "0.0"
	}
	point := d.exponent + len(d.digits) // the value is 0.digits * 10^point
	orZero := func(s string) string {
		if s == "" {
			return "0"
		}
		return s
	}
	switch {
	case point < 0 || point > 7:
		return sign + d.digits[:1] + "." + orZero(d.digits[1:]) + "e" + strconv.Itoa(point-1)
	case point >= len(d.digits):
		return sign + d.digits + strings.Repeat("0", point-len(d.digits)) + ".0"
	}
	return sign + orZero(d.digits[:point]) + "." + d.digits[point:]
}

// maxReciprocalDigits bounds the digits of a number whose reciprocal is computed.
const maxReciprocalDigits = 300

// reciprocal returns 1/d, which exists as a decimal only when d's digits have no prime factors but 2 and 5.
func (d decimal) reciprocal() (string, bool) {
	d = d.reduce()
	if d.digits == "" || len(d.digits) > maxReciprocalDigits {
		return "", false
	}
	n, _ := new(big.Int).SetString(d.digits, 10)
	two, five := big.NewInt(2), big.NewInt(5)
	twos, fives := 0, 0
	quotient, rest := new(big.Int), new(big.Int)
	for _, f := range []struct {
		by    *big.Int
		count *int
	}{{two, &twos}, {five, &fives}} {
		for {
			quotient.QuoRem(n, f.by, rest)
			if rest.Sign() != 0 {
				break
			}
			n.Set(quotient)
			*f.count++
		}
	}
	if !n.IsInt64() || n.Int64() != 1 {
		return "", false
	}
	power := max(twos, fives)
	result := new(big.Int).Exp(five, big.NewInt(int64(power-fives)), nil)
	result.Mul(result, new(big.Int).Exp(two, big.NewInt(int64(power-twos)), nil))
	exponent := -d.exponent - power
	text := result.String()
	if d.negative {
		text = "-" + text
	}
	return canonicalNumber(text + "e" + strconv.Itoa(exponent)), true
}
