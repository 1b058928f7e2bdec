package core

import (
	"encoding/binary"
	"math/bits"
)

const (
	// maxPiece is how many bits are read or written at once: what is left of
	// a 64-bit word at any offset within a byte.
	maxPiece = 57
	// riceEscape is the quotient from which on a Golomb–Rice code would be
	// longer in unary than in Elias's gamma code.
	riceEscape = 32
	// maxRice is the largest parameter: remainders are pieces.
	maxRice = 42
)

// A bitRing reads and writes codes in a ring of bits, most significant first.
type bitRing struct {
	ring []byte // at least 8
	pos  uint32 // the next bit
	left int64  // bits until the end, for a reader; below 0 past it
	k    uint   // the Golomb–Rice parameter
}

// peek returns at least maxPiece bits, in the most significant place.
func (b *bitRing) peek() uint64 {
	i := int(b.pos >> 3)
	var word uint64
	if i+8 <= len(b.ring) {
		word = binary.BigEndian.Uint64(b.ring[i:])
	} else {
		n := len(b.ring) - i
		for _, c := range b.ring[i:] {
			word = word<<8 | uint64(c)
		}
		for _, c := range b.ring[:8-n] {
			word = word<<8 | uint64(c)
		}
	}
	return word << (b.pos & 7)
}

// skip moves on by n bits, at most maxPiece.
func (b *bitRing) skip(n uint) {
	b.left -= int64(n)
	b.pos += uint32(n)
	if size := uint32(len(b.ring)) * 8; b.pos >= size {
		b.pos -= size
	}
}

// back moves back by n bits, which are no more than the ring has.
func (b *bitRing) back(n uint) {
	b.left += int64(n)
	if uint32(n) > b.pos {
		b.pos += uint32(len(b.ring)) * 8
	}
	b.pos -= uint32(n)
}

// skipAll moves on by all that is left.
func (b *bitRing) skipAll() {
	b.pos += uint32(b.left)
	if size := uint32(len(b.ring)) * 8; b.pos >= size {
		b.pos -= size
	}
	b.left = 0
}

// read returns the next n bits, at most maxPiece.
func (b *bitRing) read(n uint) uint64 {
	v := b.peek() >> 1 >> (63 - n)
	b.skip(n)
	return v
}

// write writes the n low bits of v, at most maxPiece; the rest of v is 0.
func (b *bitRing) write(v uint64, n uint) {
	i, offset := int(b.pos>>3), uint(b.pos&7)
	mask := (uint64(1)<<n - 1) << (64 - n) >> offset
	v = v << (64 - n) >> offset
	if i+8 <= len(b.ring) {
		word := binary.BigEndian.Uint64(b.ring[i:])
		binary.BigEndian.PutUint64(b.ring[i:], word&^mask|v)
	} else {
		for ; mask != 0; mask, v = mask<<8, v<<8 {
			b.ring[i] = b.ring[i]&^byte(mask>>56) | byte(v>>56)
			if i++; i == len(b.ring) {
				i = 0
			}
		}
	}
	b.skip(n)
}

// readGamma reads an Elias gamma code (1975): as many zeros as the number has
// binary digits after the first, then these digits. A code of more than
// maxPiece bits a half, which is never written, reads as past the end.
func (b *bitRing) readGamma() uint64 {
	zeros := uint(bits.LeadingZeros64(b.peek()))
	if zeros >= maxPiece {
		b.left = -1
		return 1
	}
	b.skip(zeros)
	return b.read(zeros + 1)
}

// writeGamma writes v, from 1 to 1<<maxPiece - 1.
func (b *bitRing) writeGamma(v uint64) {
	digits := uint(bits.Len64(v))
	b.write(0, digits-1)
	b.write(v, digits)
}

func gammaBits(v uint64) uint { return uint(2*bits.Len64(v) - 1) }

// readRice reads a Golomb–Rice code (Golomb 1966, Rice 1979): the quotient by
// 1<<k in unary, ones ended by a zero, then the remainder in k bits. In place
// of riceEscape ones and more stand riceEscape ones and a gamma code.
func (b *bitRing) readRice() uint64 {
	quotient := uint64(bits.LeadingZeros64(^b.peek()))
	if quotient < riceEscape {
		b.skip(uint(quotient) + 1)
	} else {
		b.skip(riceEscape)
		quotient = riceEscape + b.readGamma() - 1
	}
	return quotient<<b.k | b.read(b.k)
}

// writeRice writes v.
func (b *bitRing) writeRice(v uint64) {
	if quotient := v >> b.k; quotient < riceEscape {
		b.write(uint64(1)<<(quotient+1)-2, uint(quotient)+1)
	} else {
		b.write(1<<riceEscape-1, riceEscape)
		b.writeGamma(quotient - riceEscape + 1)
	}
	b.write(v&(1<<b.k-1), b.k)
}

func riceBits(v uint64, k uint) uint {
	quotient := v >> k
	if quotient < riceEscape {
		return uint(quotient) + 1 + k
	}
	return riceEscape + gammaBits(quotient-riceEscape+1) + k
}

// riceParameter returns the k for which n codes of numbers whose sum is sum
// have the least bound on their length in bits, n(1+k) + sum/2^k, whatever
// their distribution.
func riceParameter(sum, n int64) uint {
	k := uint(0)
	for k < maxRice && (sum-1)>>(k+1) >= n {
		k++
	}
	return k
}

// riceBound returns that bound.
func riceBound(sum, n int64, k uint) int64 { return n*int64(1+k) + sum>>k }
