package caddymodule

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirhq/weir/core/memory"
)

// secretFile returns the secret in the file at path: 32 hexadecimal digits and
// the end of a line. If there is no such file it makes one, whole or not at
// all, that only its owner may read.
func secretFile(path string) (secret [16]byte, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newSecretFile(path)
	}
	if err != nil {
		return secret, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != len(secret) {
		// Neither says what the file holds.
		return secret, fmt.Errorf("%s holds no secret of 32 hexadecimal digits; without it the counters belong to nobody: restore it, or remove the directory", path)
	}
	copy(secret[:], b)
	return secret, nil
}

// newSecretFile makes the secret.
func newSecretFile(path string) (secret [16]byte, err error) {
	if _, err = rand.Read(secret[:]); err != nil {
		return secret, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // of mode 0600
	if err != nil {
		return secret, err
	}
	_, err = f.WriteString(hex.EncodeToString(secret[:]) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return secret, errors.Join(err, os.Remove(f.Name()))
	}
	return secret, memory.SyncDir(filepath.Dir(path))
}
