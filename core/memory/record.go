package memory

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record is what one operation changed, whole or not at all:
//
//	length of the payload, 32 bits
//	check of the length, 16 bits
//	payload
//	checksum of all before and of the record's number, in five bytes
//
// Integers are little-endian. The checksum is CRC-32C (RFC 3720, appendix B.4)
// with the number mixed in, seven bits a byte, each with its highest bit set:
// so no record ends in zeros, and none is taken for another one's place.
const (
	recordHead  = 6
	recordTail  = 5
	recordFrame = recordHead + recordTail
)

// What readRecord says of bytes that are not a record.
var (
	errTorn     = errors.New("the record is not whole")
	errLength   = errors.New("the check of the record's length is wrong")
	errChecksum = errors.New("the checksum of the record is wrong")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// lengthCheck returns the low half of the checksum of a length. It differs
// for lengths that differ in one byte.
func lengthCheck(length []byte) uint16 {
	return uint16(crc32.Checksum(length, castagnoli))
}

// recordSum returns the checksum of the record number with these first bytes.
func recordSum(number uint64, b []byte) uint32 {
	number *= 0x9E3779B97F4A7C15
	return crc32.Checksum(b, castagnoli) ^ uint32(number>>32)
}

// beginRecord appends the room for a record's head.
func beginRecord(b []byte) []byte { return append(b, make([]byte, recordHead)...) }

// endRecord makes what is in b from start on the record number.
func endRecord(b []byte, start int, number uint64) []byte {
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-recordHead))
	binary.LittleEndian.PutUint16(b[start+4:], lengthCheck(b[start:start+4]))
	sum := recordSum(number, b[start:])
	return append(b, 0x80|byte(sum), 0x80|byte(sum>>7), 0x80|byte(sum>>14), 0x80|byte(sum>>21), 0x80|byte(sum>>28))
}

// readRecord returns the payload of the record number at the beginning of b,
// and how many bytes the record has. Of one that is not whole, it has so many
// bytes if that can be told, else 0.
func readRecord(b []byte, number uint64) (payload []byte, size int, err error) {
	if len(b) < recordHead {
		return nil, 0, errTorn
	}
	if binary.LittleEndian.Uint16(b[4:]) != lengthCheck(b[:4]) {
		return nil, 0, errLength
	}
	end := recordHead + int(binary.LittleEndian.Uint32(b))
	if len(b) < end+recordTail {
		return nil, end + recordTail, errTorn
	}
	sum := recordSum(number, b[:end])
	for _, c := range b[end : end+recordTail] {
		if c != 0x80|byte(sum) {
			return nil, end + recordTail, errChecksum
		}
		sum >>= 7
	}
	return b[recordHead:end], end + recordTail, nil
}

// sector is the least that a disk writes at once, whole or not at all.
const sector = 512

// zeroed reports whether the end of a record, which has size bytes (0: nobody
// knows), and all that follows it in the file never reached the disk: they are
// zeros from the beginning of a sector on. rest is the file from the record on,
// which begins at offset. No single wrong byte makes a record look so, for it
// ends in bytes that are not zero.
func zeroed(rest []byte, size int, offset int64) bool {
	n := len(rest)
	for n > 0 && rest[n-1] == 0 {
		n--
	}
	if n > 0 {
		n += int(-(offset + int64(n)) & (sector - 1))
	}
	return n < max(size, recordHead) && len(rest)-n >= 2
}
