package core

import (
	"unsafe"

	"github.com/dchest/siphash"
)

// A Hasher turns keys, ids and attribute values into Scopes: SipHash-2-4-128
// (Aumasson and Bernstein, 2012) under a secret key, so that no cell tells
// whose it is.
type Hasher struct{ k0, k1 uint64 }

// NewHasher returns the Hasher of a 16-byte secret.
func NewHasher(secret [16]byte) Hasher {
	return Hasher{le64(secret[:8]), le64(secret[8:])}
}

func le64(b []byte) (n uint64) {
	for i := range 8 {
		n |= uint64(b[i]) << (8 * i)
	}
	return n
}

// Sum hashes b.
func (h Hasher) Sum(b []byte) Scope {
	hi, lo := siphash.Hash128(h.k0, h.k1, b)
	return Scope{hi, lo}
}

// SumString hashes s without copying it.
func (h Hasher) SumString(s string) Scope { return h.sumString(0, s) }

// sumBytes hashes b in a domain, which changes the key.
func (h Hasher) sumBytes(domain uint64, b []byte) Scope {
	hi, lo := siphash.Hash128(h.k0^domain, h.k1, b)
	return Scope{hi, lo}
}

// sumString hashes s in a domain without copying it.
func (h Hasher) sumString(domain uint64, s string) Scope {
	return h.sumBytes(domain, unsafe.Slice(unsafe.StringData(s), len(s)))
}
