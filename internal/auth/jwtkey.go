package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// key verifies signatures.
type key struct {
	id        string // from a JWK; may be empty
	algorithm string // from a JWK; empty: every one that fits the key
	public    any    // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// algorithms are those that a token may be signed with. "none" is not among them.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.HS256, jose.HS384, jose.HS512, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// fits tells whether the key may verify a signature of the algorithm. The key decides, not the token: a public key is
// never taken for an HMAC secret.
func (k key) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch public := k.public.(type) {
	case []byte:
		return algorithm == "HS256" && len(public) >= 32 || algorithm == "HS384" && len(public) >= 48 ||
			algorithm == "HS512" && len(public) >= 64
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return algorithm == "ES256"
		case elliptic.P384():
			return algorithm == "ES384"
		case elliptic.P521():
			return algorithm == "ES512"
		}
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// parseKey reads the key of a JWT secret. The messages are Hasura's where it has one.
func parseKey(keyType, text string) (key, error) {
	var (
		public any
		err    error
	)
	switch keyType {
	case "HS256", "HS384", "HS512":
		least := map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[keyType]
		if len(text) < least {
			return key{}, jwkError(&worded{text: "Key size too small; should be atleast " + strconv.Itoa(least) + " characters"})
		}
		return key{public: []byte(text)}, nil
	case "RS256", "RS384", "RS512":
		public, err = parsePEM[*rsa.PublicKey](text)
	case "ES256", "ES384", "ES512":
		public, err = parsePEM[*ecdsa.PublicKey](text)
	case "Ed25519":
		public, err = parsePEM[ed25519.PublicKey](text)
	default:
		err = &worded{text: "Key type: " + keyType + " is not supported"}
	}
	if err != nil {
		return key{}, jwkError(err)
	}
	return key{public: public}, nil
}

func jwkError(err error) error { return &worded{text: "Invalid JWK", cause: err} }

// parsePEM reads a public key, or the one in a certificate, and checks its type.
func parsePEM[K any](text string) (any, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the key is not PEM")
	}
	var (
		public crypto.PublicKey
		err    error
	)
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = certificate.PublicKey
		}
	default:
		return nil, fmt.Errorf("the PEM block is a %s, want a public key or a certificate", block.Type)
	}
	if err != nil {
		return nil, err
	}
	if _, ok := public.(K); !ok {
		return nil, fmt.Errorf("the key is a %T, which does not fit its type", public)
	}
	return public, nil
}

// maxKeys bounds a JWKS: a token without a key id is tried against every key.
const maxKeys = 100

// parseJWKS reads a set of keys. Those that are not for signatures, or of an unknown kind, are left out.
func parseJWKS(data []byte) ([]key, error) {
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	if set.Keys == nil {
		return nil, errors.New(`key "keys" not found`)
	}
	var keys []key
	for _, raw := range set.Keys {
		for _, name := range []string{"n", "e"} { // some issuers write these in plain base64
			if text, ok := raw[name].(string); ok {
				raw[name] = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
			}
		}
		text, err := json.Marshal(raw)
		if err != nil {
			return nil, err
		}
		var jwk jose.JSONWebKey
		if err := json.Unmarshal(text, &jwk); err != nil || jwk.Use != "" && jwk.Use != "sig" || len(keys) == maxKeys {
			continue
		}
		switch jwk.Key.(type) { // a secret that is published, or a private key, is no key to trust
		case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
			keys = append(keys, key{id: jwk.KeyID, algorithm: jwk.Algorithm, public: jwk.Key})
		}
	}
	return keys, nil
}
