package main

import (
	"strconv"
	"testing"
)

// BenchmarkPeers is the table's measurement under go test, for profiles.
func BenchmarkPeers(b *testing.B) {
	keys := make([]string, keyCount)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	for _, p := range peers {
		b.Run(p.name, func(b *testing.B) {
			allow := p.open(fastClock())
			b.ReportAllocs()
			for i := range b.N {
				allow(keys[i%len(keys)])
			}
		})
	}
}
