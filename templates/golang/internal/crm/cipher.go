package crm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

// ErrUnreadable says that data was not encrypted under this key, or has been changed since.
var ErrUnreadable = errors.New("the encrypted data cannot be read with ENCRYPTION_KEY")

// keyBytes makes it AES-256.
const keyBytes = 32

// Cipher encrypts with AES-256-GCM. What it makes is a nonce of 12 bytes, the encrypted text, and a tag of 16 bytes.
type Cipher struct{ aead cipher.AEAD }

// NewCipher makes a Cipher of a key in base64, or returns nil for an empty one.
func NewCipher(key config.Secret) (*Cipher, error) {
	if key == "" {
		return nil, nil
	}
	text := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(key.Reveal())
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) != keyBytes {
		return nil, fmt.Errorf("ENCRYPTION_KEY must be %d bytes in base64", keyBytes)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Cipher{aead}, nil
}

// Seal encrypts text that belongs to owner: for another owner it cannot be opened.
func (c *Cipher) Seal(owner, text string) []byte {
	nonce := make([]byte, c.aead.NonceSize(), c.aead.NonceSize()+len(text)+c.aead.Overhead())
	_, _ = rand.Read(nonce) // it never fails: crypto/rand ends the program rather than return weak bytes
	return c.aead.Seal(nonce, nonce, []byte(text), []byte(owner))
}

// Open decrypts what [Cipher.Seal] made, or returns [ErrUnreadable].
func (c *Cipher) Open(owner string, data []byte) (string, error) {
	n := c.aead.NonceSize()
	if len(data) < n {
		return "", ErrUnreadable
	}
	text, err := c.aead.Open(nil, data[:n], data[n:], []byte(owner))
	if err != nil {
		return "", ErrUnreadable
	}
	return string(text), nil
}
