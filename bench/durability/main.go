// Command durability prints how many requests a second Caddy decides with Weir's
// counters on disk, by how durable they are.
//
//	cd bench && go run ./durability
//
// wrk asks with 64 connections, each for another one of a thousand keys; the
// answer is a constant. Each mode has a process and a directory of its own. They
// take turns of a second, many times: the ratio to the last mode is taken in each
// round, and the median of the ratios counts, for what else the machine does
// changes more slowly than that.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// least is the ratio that the project promises of the first mode to the last.
const least = 0.9

var modes = []string{"process", "interval 1s", "none"}

// script gives each request one of a thousand keys.
const script = `
local n = 0
request = function()
	n = (n + 1) % 1000
	return wrk.format("GET", "/", {["X-API-Key"] = "key-" .. n})
end
`

const config = `{
	admin off
	auto_https off
	weir {
		store memory %s {
			durability %s
		}
		policy bench {
			subject {header.X-API-Key}
			limit requests {
				rolling 1m
				max 1000000000
			}
			headers x-ratelimit unix
		}
	}
}

http://%s {
	weir bench
	respond ok
}
`

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 31, "how often each mode is measured; the median counts")
	caddy := flag.String("caddy", "", "the program to measure; built from this repository if empty")
	flag.Parse()
	if err := bench(*caddy, *rounds); err != nil {
		log.Fatal(err)
	}
}

// bench measures and prints the table.
func bench(caddy string, rounds int) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is missing: apt-get install wrk, or what your system calls it")
	}
	dir, err := os.MkdirTemp("", "weir-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if caddy == "" {
		caddy = filepath.Join(dir, "caddy")
		build := exec.Command("go", "build", "-tags", "nobadger,nomysql,nopgx", "-o", caddy, "./cmd/caddy")
		build.Dir, build.Stderr = "..", os.Stderr
		if err := build.Run(); err != nil {
			return err
		}
	}
	servers := make([]*server, len(modes))
	for i, mode := range modes {
		if servers[i], err = start(dir, caddy, mode); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
		defer func() { _ = servers[i].stop() }()
	}
	for round := range rounds {
		for i := range servers {
			s := servers[(i+round)%len(servers)]
			if err := s.measure(); err != nil {
				return fmt.Errorf("%s: %w", s.mode, err)
			}
		}
		fmt.Fprintf(os.Stderr, "\rround %d of %d", round+1, rounds)
	}
	fmt.Fprintln(os.Stderr)
	return report(servers)
}

// report prints a line each, and fails where durability costs more than promised.
func report(servers []*server) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "decisions/s\tof none's\tCPU µs/decision\t  \tdurability\t")
	last := servers[len(servers)-1]
	for _, s := range servers {
		s.ratios = make([]float64, len(s.rates))
		for round, rate := range s.rates {
			s.ratios[round] = rate / last.rates[round]
		}
	}
	for _, s := range servers {
		fmt.Fprintf(w, "%.0f\t%.3f\t%.2f\t  \t%s\t\n", median(s.rates), median(s.ratios), median(s.cpu), s.mode)
	}
	w.Flush()
	if ratio := median(servers[0].ratios); ratio < least {
		return fmt.Errorf("%s: %.3f of the decisions without, less than %.2f", modes[0], ratio, least)
	}
	return nil
}

// median sorts values, and returns the one in the middle.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// A server is a Caddy with a durability.
type server struct {
	mode, address, lua string
	cmd                *exec.Cmd
	rates, cpu, ratios []float64 // by round; of the processor, µs for a decision
}

// start runs Caddy with a durability.
func start(dir, caddy, mode string) (*server, error) {
	own, err := os.MkdirTemp(dir, "caddy")
	if err != nil {
		return nil, err
	}
	s := &server{mode: mode, lua: filepath.Join(own, "keys.lua")}
	if s.address, err = freeAddress(); err != nil {
		return nil, err
	}
	path := filepath.Join(own, "Caddyfile")
	text := fmt.Appendf(nil, config, filepath.Join(own, "state"), mode, s.address)
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.WriteFile(s.lua, []byte(script), 0o600)); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", path)
	s.cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+own, "XDG_CONFIG_HOME="+own, "HOME="+own)
	if os.Getenv("WEIR_BENCH_LOG") != "" {
		s.cmd.Stdout, s.cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := decides("http://" + s.address); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	_, err = load(s.lua, s.address) // warms up
	return s, err
}

func (s *server) stop() error {
	return errors.Join(s.cmd.Process.Kill(), s.cmd.Wait())
}

// measure has the server decide for a second.
func (s *server) measure() error {
	before := used(s.cmd.Process.Pid)
	rate, err := load(s.lua, s.address)
	if err != nil {
		return err
	}
	s.rates = append(s.rates, rate)
	s.cpu = append(s.cpu, float64((used(s.cmd.Process.Pid)-before).Microseconds())/rate)
	return decides("http://" + s.address)
}

// used returns the processor time that a process has used.
func used(pid int) (sum time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, path := range threads {
		text, _ := os.ReadFile(path)
		ran, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(ran, 10, 64)
		sum += time.Duration(n)
	}
	return sum
}

// decides waits for an answer, and returns what is wrong with it.
func decides(url string) error {
	var last error
	for range 500 {
		request, err := http.NewRequest("GET", url, http.NoBody)
		if err != nil {
			return err
		}
		request.Header.Set("X-API-Key", "key-0")
		r, err := http.DefaultClient.Do(request)
		if last = err; err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK || r.Header.Get("X-Ratelimit-Remaining") == "" {
			return fmt.Errorf("answered %s: %s", r.Status, body)
		}
		return nil
	}
	return last
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

var requestsPerSecond = regexp.MustCompile(`Requests/sec:\s*([0-9.]+)`)

// load runs wrk for a second and returns the requests a second that were
// admitted.
func load(lua, address string) (float64, error) {
	out, err := exec.Command("wrk", "-t1", "-c64", "-d1s", "--timeout", "30s", "-s", lua, "http://"+address).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if text := string(out); strings.Contains(text, "Non-2xx") || strings.Contains(text, "Socket errors") {
		return 0, fmt.Errorf("requests failed: %s", out)
	}
	m := requestsPerSecond.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk says %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
