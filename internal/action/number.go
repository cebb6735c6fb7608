package action

import (
	"math"
	"strconv"
	"strings"
)

// appendInteger appends a number that must be an integer of that many bits. JSON has one kind of number: 3.0 and 3e0
// are 3.
func appendInteger(dst []byte, text string, bits int) ([]byte, *Error) {
	if n, err := strconv.ParseInt(text, 10, bits); err == nil {
		return strconv.AppendInt(dst, n, 10), nil
	}
	d := parseDecimal(text)
	if digits, ok := d.integer(); ok {
		if n, err := strconv.ParseInt(digits, 10, bits); err == nil {
			return strconv.AppendInt(dst, n, 10), nil
		}
	}
	return dst, &Error{Code: CodeParseFailed, Message: "The value " + d.String() +
		" lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?"}
}

// appendFloat appends a number as it was written, if a double can hold it.
func appendFloat(dst []byte, text string) ([]byte, *Error) {
	if err := checkFloatBounds(text, 64); err != nil {
		return dst, err
	}
	return append(dst, text...), nil
}

// checkFloatBounds refuses a number that is too large for a float of that many bits.
func checkFloatBounds(text string, bits int) *Error {
	if f, err := strconv.ParseFloat(text, bits); err != nil || math.IsInf(f, 0) {
		return &Error{Code: CodeParseFailed, Message: "The value " + parseDecimal(text).String() +
			" lies outside the bounds. Is it overflowing the float bounds?"}
	}
	return nil
}

// decimal is a number as 0.digits times ten to the point: Hasura prints numbers in errors that way.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; "" is zero
	point    int
}

// parseDecimal reads a JSON number. An exponent beyond the range of int counts as the largest one.
func parseDecimal(text string) decimal {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa = text[:i]
		n, err := strconv.Atoi(text[i+1:])
		if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
			n = math.MaxInt32
			if text[i+1] == '-' {
				n = math.MinInt32
			}
		}
		exponent = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.point = len(whole) + exponent - (len(whole) + len(fraction) - len(digits))
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		d.point = 0
	}
	return d
}

// integer gives the decimal digits when the number is an integer that could fit 64 bits.
func (d decimal) integer() (string, bool) {
	if d.digits == "" {
		return "0", true
	}
	if d.point < len(d.digits) || d.point > 20 {
		return "", false
	}
	text := d.digits + strings.Repeat("0", d.point-len(d.digits))
	if d.negative {
		text = "-" + text
	}
	return text, true
}

// String prints as Haskell shows a Scientific: plain between 0.1 and 10^7, with an exponent otherwise, always with a
// decimal point.
func (d decimal) String() string {
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch {
	case d.digits == "":
		return "0.0"
	case d.point > 0 && d.point <= 7:
		digits := d.digits
		if len(digits) < d.point {
			digits += strings.Repeat("0", d.point-len(digits))
		}
		return sign + digits[:d.point] + "." + orZero(digits[d.point:])
	case d.point == 0:
		return sign + "0." + d.digits
	}
	return sign + d.digits[:1] + "." + orZero(d.digits[1:]) + "e" + strconv.Itoa(d.point-1)
}

func orZero(digits string) string {
	if digits == "" {
		return "0"
	}
	return digits
}
