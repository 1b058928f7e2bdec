package caddymodule

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirhq/weir/core/memory"
)

// secretName is the file in a state directory that has the secret.
const secretName = "secret"

// secretFile returns the secret in the file at path: a line of 32 hexadecimal
// digits and, after a space, eight of their checksum (CRC-32C), which one that was
// not made here may lack. If there is no such file it makes one, whole or not at all,
// that only its owner may read.
func secretFile(path string) (secret [16]byte, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newSecretFile(path)
	}
	if err != nil {
		return secret, err
	}
	digits, check, checked := strings.Cut(strings.TrimSpace(string(text)), " ")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(secret) || checked && check != checksum(digits) {
		// Neither says what the file holds.
		return secret, fmt.Errorf("%s holds no secret of 32 hexadecimal digits, or a wrong one; without it the counters belong to nobody: restore it, or remove the directory", path)
	}
	copy(secret[:], b)
	return secret, nil
}

// checksum returns the checksum of a secret's digits: of one that is damaged all
// counters would silently be other people's.
func checksum(digits string) string {
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(digits), crc32.MakeTable(crc32.Castagnoli)))
}

// mark returns what tells counters of a secret from others in a snapshot, and tells
// nothing of the secret but whether a guess is right.
func mark(secret [16]byte) uint64 {
	sum := sha256.Sum256(append([]byte("weir mark "), secret[:]...))
	return binary.LittleEndian.Uint64(sum[:])
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
	digits := hex.EncodeToString(secret[:])
	_, err = f.WriteString(digits + " " + checksum(digits) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return secret, errors.Join(err, os.Remove(f.Name()))
	}
	return secret, memory.SyncDir(filepath.Dir(path))
}
