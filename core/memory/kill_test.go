package memory

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhq/weir/core"
)

// killedDir is, in a process that is to be killed, its state directory.
const killedDir = "WEIR_TEST_KILLED"

// killedWorkers count at the same time, each for subjects of its own.
const killedWorkers = 4

func killedLimits() []*core.Limit {
	limits := []*core.Limit{
		limitOf(1, core.Ever, "ever"), limitOf(2, core.Rolling, "rolling"), limitOf(3, core.Hold, "jobs"),
		limitOf(4, core.Calendar, "budget"),
	}
	limits[0].Count = true
	limits[1].Length, limits[2].TTL = 1_000_000*minute, 1_000_000*minute
	limits[2].Released, limits[3].Settled = true, true
	return limits
}

func killedOwner(worker int) core.Scope { return core.Scope{Hi: uint64(worker), Lo: 1} }

// TestMain becomes the process that is to be killed where it is told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		if err := count(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// count counts in dir until it is killed, and says of each thing that was
// acknowledged whose it was.
func count(dir string) error {
	s := New(Options{Dir: dir})
	if err := s.Open(); err != nil {
		return err
	}
	s.journal.threshold.Store(20 << 10) // so that it is killed in snapshots too
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			select {
			case s.journal.due <- struct{}{}:
			default:
			}
		}
	}()
	var out sync.Mutex
	failed := make(chan error)
	for worker := range killedWorkers {
		go func() {
			for {
				if err := countOne(s, worker); err != nil {
					failed <- err
				}
				out.Lock()
				fmt.Println(worker)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

// countOne takes one of everything, leases a job, releases another one's, and
// settles a cost of 3.
func countOne(s *Store, worker int) error {
	owner, id := killedOwner(worker), core.ID{Hi: rand.Uint64(), Lo: rand.Uint64()}
	op := &core.Take{Now: at(0), ID: id, Policy: "p", Owner: owner, Charges: charges(owner, 1, killedLimits()...)}
	for i := range op.Charges {
		op.Charges[i].Max = 1 << 40
	}
	if err := s.Take(context.Background(), op); err != nil {
		return err
	}
	if !op.Admitted {
		return fmt.Errorf("refused: %+v", op.Charges)
	}
	return s.Settle(context.Background(), &core.Settle{
		Now: at(0), ID: id, Policy: "p", Owner: owner, Charges: op.Charges,
		Lease: []string{fmt.Sprint(id)}, HasCost: true, Cost: 3, End: true,
	})
}

// A process that is killed at any moment has kept whatever it acknowledged, and
// at most one thing more of each worker.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	acknowledged := make([]int64, killedWorkers)
	lives := 30
	if testing.Short() || raceEnabled {
		lives = 6
	}
	for life := range lives {
		runAndKill(t, dir, acknowledged)
		s := New(Options{Dir: dir})
		must(t, s.Open())
		for worker, n := range acknowledged {
			checkKept(t, s, life, worker, n)
			op := &core.Take{Now: at(0), Policy: "p", Owner: killedOwner(worker), Charges: charges(killedOwner(worker), 1, killedLimits()[0])}
			must(t, s.Read(context.Background(), op))
			acknowledged[worker] = op.Charges[0].Used // what was under way counts, or not
		}
		kill(s)
	}
	t.Logf("%d lives, acknowledged %d", lives, acknowledged)
}

// checkKept requires that what was acknowledged to a worker is in s.
func checkKept(t *testing.T, s *Store, life, worker int, n int64) {
	t.Helper()
	op := &core.Take{Now: at(0), Policy: "p", Owner: killedOwner(worker), Charges: charges(killedOwner(worker), 1, killedLimits()...)}
	must(t, s.Read(context.Background(), op))
	under := int64(life + 1) // lives in which a request may have been under way between its steps
	for i, per := range []int64{1, 1, 1, 3} {
		c := &op.Charges[i]
		low, high := per*n, per*(n+1)
		if c.Limit.Name == "jobs" || c.Limit.Name == "budget" {
			low -= per * under // a request was taken, and not settled, when it ended
		}
		if c.Used < low || c.Used > high {
			t.Errorf("life %d, worker %d, limit %s: %d used, want %d to %d", life, worker, c.Limit.Name, c.Used, low, high)
		}
	}
}

// runAndKill runs a process that counts in dir, and kills it.
func runAndKill(t *testing.T, dir string, acknowledged []int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killedDir+"="+dir)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	timer := time.AfterFunc(time.Duration(20+rand.IntN(150))*time.Millisecond, func() { _ = child.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var worker int
		if _, err := fmt.Sscan(lines.Text(), &worker); err == nil && len(lines.Text()) == 1 {
			acknowledged[worker]++
		} else if strings.HasPrefix(lines.Text(), "error") {
			t.Error(lines.Text())
		}
	}
	_ = child.Wait()
}
