package actions

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nself-org/nself/templates/golang/internal/action"
)

const (
	codeCurrency = "INVALID_CURRENCY"
	// maxAmount is what Stripe takes at most.
	maxAmount      = 99_999_999
	maxDescription = 1000
)

// currencies are those of ISO 4217, without funds, metals and the codes for testing.
var currencies = strings.Fields("aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd " +
	"cad cdf chf clp cny cop crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd " +
	"gnf gtq gyd hkd hnl htg huf idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt " +
	"lak lbp lkr lrd lsl lyd mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr " +
	"nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sdg sek sgd shp sle sos srd ssp " +
	"stn svc syp szl thb tjs tmt tnd top try ttd twd tzs uah ugx usd uyu uzs ved ves vnd vuv wst xaf xcd " +
	"xof xpf yer zar zmw zwg")

// normalisePayment trims texts and writes the currency as Stripe has it.
func normalisePayment(in PaymentInput) PaymentInput {
	in.Currency = strings.ToLower(strings.TrimSpace(in.Currency))
	in.PaymentMethodID = strings.TrimSpace(in.PaymentMethodID)
	in.CustomerID = strings.ToLower(strings.TrimSpace(in.CustomerID))
	description := ""
	if in.Description != nil {
		description = strings.TrimSpace(*in.Description)
	}
	in.Description = &description
	return in
}

// validatePayment returns every fault of the input, at most one for each field.
func validatePayment(in PaymentInput) []ValidationError {
	var faults []ValidationError
	fault := func(field, code, message string) {
		faults = append(faults, ValidationError{Field: field, Message: message, Code: &code})
	}
	if in.Amount < 1 || in.Amount > maxAmount {
		fault("amount", action.CodeRange, fmt.Sprintf("Amount must be from 1 to %d", maxAmount))
	}
	if !slices.Contains(currencies, in.Currency) {
		fault("currency", codeCurrency, "Currency must be a currency code such as usd")
	}
	if in.PaymentMethodID == "" {
		fault("payment_method_id", action.CodeRequired, "Payment method is required")
	}
	if action.UUID(in.CustomerID) == "" {
		faults = append(faults, noCustomer())
	}
	if utf8.RuneCountInString(*in.Description) > maxDescription {
		fault("description", action.CodeLength, fmt.Sprintf("Description must be at most %d characters", maxDescription))
	}
	return faults
}

func noCustomer() ValidationError {
	return ValidationError{Field: "customer_id", Message: "Customer does not exist", Code: new(action.CodeNotFound)}
}
