package memory

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
)

var floodKeys = flag.Int("flood", 5_000_000, "how many made-up keys the engine is flooded with")

// inFlood is set in the process that is flooded: it has its memory to itself.
const inFlood = "WEIR_FLOOD"

// TestFloodOfEngine sends made-up keys through the engine, five times as many as
// the store has cells, with a real subject's requests among them. It checks its
// counter each time, and in the end what the process takes.
func TestFloodOfEngine(t *testing.T) {
	for name, overflow := range map[string]Overflow{"deny": Deny, "share": Share} {
		t.Run(name, func(t *testing.T) {
			if os.Getenv(inFlood) != "" {
				floodEngine(t, overflow)
				return
			}
			keys := *floodKeys
			if raceEnabled {
				keys /= 10
			}
			child := exec.Command(os.Args[0], "-test.run=^TestFloodOfEngine$/^"+name+"$", "-test.v", fmt.Sprintf("-flood=%d", keys))
			child.Env = append(os.Environ(), inFlood+"=1")
			out, err := child.CombinedOutput()
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "_test.go:") {
					t.Log(strings.TrimSpace(line))
				}
			}
			if err != nil || !bytes.Contains(out, []byte("--- PASS: TestFloodOfEngine")) {
				t.Errorf("%v", err)
			}
		})
	}
}

const (
	floodMax      = 100_000 // of the one limit
	floodCellSize = 170     // bytes, from docs/operations.md
	floodBase     = 100 << 20
)

func floodEngine(t *testing.T, overflow Overflow) {
	cells := int64(*floodKeys / 5)
	config := new(core.PolicyConfig)
	if err := config.UnmarshalJSON([]byte(`{"subject":{"sources":[{"from":"{header.X-API-Key}"}]},
		"limits":[{"name":"requests","kind":"rolling","window":"1h","max":100000}]}`)); err != nil {
		t.Fatal(err)
	}
	policy, err := core.CompilePolicy("", "p", config)
	if err != nil {
		t.Fatal(err)
	}
	store := New(Options{MaxCells: cells, Overflow: overflow})
	engine := core.NewEngine(core.Options{
		Policies: map[string]*core.Policy{"p": policy}, Store: store, Hasher: core.NewHasher([16]byte{1}), OnStoreError: "deny",
	})
	f := &flood{t: t, engine: engine, policy: policy, outcomes: map[core.Outcome]int{}}
	for range 100 {
		f.real()
	}
	for n := range *floodKeys {
		f.ask(fmt.Appendf(f.key[:0], "made up %d", n))
		f.outcomes[f.decision.Outcome]++
		if n%1000 == 0 {
			f.real()
		}
	}
	f.check(overflow, int(cells))
	if n := store.Stats().Cells; int64(n) > cells+1 {
		t.Errorf("%d cells, want at most %d", n, cells+1)
	}
	checkMemory(t, floodBase+2*cells*floodCellSize)
	runtime.KeepAlive(engine)
}

// A flood is one caller of the engine.
type flood struct {
	t        *testing.T
	engine   *core.Engine
	policy   *core.Policy
	request  core.Request
	decision core.Decision
	key      []byte
	now      int64
	asked    int64 // by the real subject
	outcomes map[core.Outcome]int
}

func (f *flood) Attribute(*core.Ref) (string, bool) { return string(f.key), true }
func (f *flood) Several(*core.Ref) bool             { return false }
func (f *flood) All(*core.Ref) []string             { return nil }
func (f *flood) Body(int64) ([][]byte, error)       { return nil, core.ErrNoBody }

func (f *flood) ask(key []byte) {
	f.key = key
	f.now += 20 // µs: five million keys in 100 s, far less than the window
	f.request.Method, f.request.Path, f.request.Source = "GET", "/", f
	f.decision.Reset()
	now := core.Instant{Wall: 1_800_000_000_000_000 + f.now, Steady: f.now}
	f.engine.Decide(context.Background(), now, f.policy, &f.request, &f.decision)
}

// real asks for the real subject, whose counter must be exact.
func (f *flood) real() {
	f.asked++
	f.ask([]byte("real"))
	if d := &f.decision; d.Outcome != core.Admitted || d.Charges[0].Used != f.asked {
		f.t.Fatalf("the real subject's request %d: %v, %d used", f.asked, d.Outcome, d.Charges[0].Used)
	}
}

// check compares what became of the made-up keys with what the room allows.
func (f *flood) check(overflow Overflow, cells int) {
	admitted, rest := cells-1, core.StoreFailed
	if overflow == Share {
		admitted, rest = admitted+floodMax, core.Denied
	}
	f.t.Logf("%d made-up keys: %v; the real subject's %d requests all counted", *floodKeys, f.outcomes, f.asked)
	if f.outcomes[core.Admitted] != min(admitted, *floodKeys) || f.outcomes[rest] != max(0, *floodKeys-admitted) {
		f.t.Errorf("want %d admitted, the rest %v", admitted, rest)
	}
}

// checkMemory checks the most that this process had in memory.
func checkMemory(t *testing.T, most int64) {
	t.Helper()
	file, err := os.Open("/proc/self/status")
	if err != nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("without /proc: %d MB of %d MB from the system", m.Sys>>20, most>>20)
		return
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var kb int64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kb); n == 0 {
			continue
		}
		t.Logf("at most %d MB resident, of %d MB stated", kb>>10, most>>20)
		if kb<<10 > most && !raceEnabled {
			t.Errorf("%d bytes resident, want at most %d", kb<<10, most)
		}
	}
}
