package memory

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirhq/weir/core"
)

// FuzzSection reads sections whose checksums are right but whose values need
// not be: they make an error, or a store that works.
func FuzzSection(f *testing.F) {
	dir := f.TempDir()
	s := New(Options{Dir: dir})
	fill(f, s)
	must(f, s.Close())
	b, err := os.ReadFile(filepath.Join(dir, SnapshotName))
	must(f, err)
	must(f, readSnapshot(bytes.NewReader(b), int64(len(b)), func(kind byte, d *decoder) error {
		f.Add(kind, d.b)
		d.b = nil
		return nil
	}))
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		s := New(Options{})
		defer s.Close()
		for id, l := range snapshotLimits() {
			s.limits.add(uint64(id+1), limitIdentity{"p", l.Name, l.Kind})
		}
		d := &decoder{b: payload}
		if s.section(kind, d) != nil || d.err != nil {
			return
		}
		for _, owner := range []core.Scope{alice, bob} {
			for i := range int64(3) {
				op := take(t, s, i*second, uint64(i), owner, charges(owner, 1, snapshotLimits()...))
				settle(t, s, i*second, core.Settle{
					ID: op.ID, Owner: owner, Charges: op.Charges, Lease: []string{"job-0"},
					Release: []string{"job-1"}, HasCost: true, Cost: 3, End: true,
				})
				must(t, s.Read(context.Background(), op))
			}
		}
		must(t, s.encode(newSnapshotWriter(&bytes.Buffer{})))
	})
}
