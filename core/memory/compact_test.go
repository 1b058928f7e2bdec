package memory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirhq/weir/core"
)

// A snapshot that is written while others count has all of each operation or,
// with the journal that follows it, nothing twice.
func TestCompactWhileCounting(t *testing.T) {
	dir := t.TempDir()
	limits := killedLimits()
	counted := make([]int64, 4)
	for range 3 {
		s := New(Options{Dir: dir})
		must(t, s.Open())
		var stop atomic.Bool
		var group sync.WaitGroup
		for worker := range counted {
			group.Go(func() {
				for !stop.Load() {
					if err := countOne(s, worker); err != nil {
						t.Error(err)
						return
					}
					counted[worker]++
				}
			})
		}
		for range 6 {
			must(t, s.compact())
		}
		stop.Store(true)
		group.Wait()
		if n := s.Stats().Journal; n.Snapshots != 6 || n.Failing || n.Errors > 0 {
			t.Errorf("%+v", n)
		}
		kill(s)
		s = New(Options{Dir: dir, Shards: 8})
		must(t, s.Open())
		for worker, n := range counted {
			owner := killedOwner(worker)
			op := &core.Take{Now: at(0), Policy: "p", Owner: owner, Charges: charges(owner, 1, limits...)}
			must(t, s.Read(context.Background(), op))
			for i, per := range []int64{1, 1, 1, 3} {
				if c := &op.Charges[i]; c.Used != per*n {
					t.Errorf("worker %d, limit %s: %d used, want %d", worker, c.Limit.Name, c.Used, per*n)
				}
			}
		}
		kill(s)
	}
	t.Log(fmt.Sprint("counted ", counted))
}
