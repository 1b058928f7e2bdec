// Command durability prints how many requests a second Caddy decides with Weir's
// counters on disk, by how durable they are.
//
//	cd bench && go run ./durability
//
// wrk asks with 64 connections, each for another one of a thousand keys; the
// answer is a constant. The modes run in turn, several times, each with a process
// and a directory of its own; compare the ratio of the medians, not the numbers.
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
	rounds := flag.Int("rounds", 7, "how often each mode is measured; the median counts")
	span := flag.Duration("for", 5*time.Second, "how long one measurement takes")
	caddy := flag.String("caddy", "", "the program to measure; built from this repository if empty")
	flag.Parse()
	if err := bench(*caddy, *rounds, *span); err != nil {
		log.Fatal(err)
	}
}

// bench measures and prints the table.
func bench(caddy string, rounds int, span time.Duration) error {
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
	rates, cpu := make([][]float64, len(modes)), make([][]float64, len(modes))
	for round := range rounds {
		for i := range modes {
			i = (i + round) % len(modes)
			rate, used, err := measure(dir, caddy, modes[i], span)
			if err != nil {
				return fmt.Errorf("%s: %w", modes[i], err)
			}
			rates[i], cpu[i] = append(rates[i], rate), append(cpu[i], used)
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
	}
	return report(rates, cpu)
}

// report prints a line each, and fails where durability costs more than promised.
func report(rates, cpu [][]float64) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "decisions/s\tof none's\tfrom\tto\tCPU µs/decision\t  \tdurability\t")
	none := median(rates[len(modes)-1])
	for i, mode := range modes {
		rate := median(rates[i])
		fmt.Fprintf(w, "%.0f\t%.3f\t%.0f\t%.0f\t%.2f\t  \t%s\t\n",
			rate, rate/none, rates[i][0], rates[i][len(rates[i])-1], median(cpu[i]), mode)
	}
	w.Flush()
	if ratio := median(rates[0]) / none; ratio < least {
		return fmt.Errorf("%s: %.3f of the decisions without, less than %.2f", modes[0], ratio, least)
	}
	return nil
}

// median sorts values, and returns the one in the middle.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// measure runs Caddy with a durability under load, and returns its decisions a
// second, and how many µs of processor time it used for one; 0 where the system
// does not tell.
func measure(dir, caddy, mode string, span time.Duration) (rate, cpu float64, err error) {
	state, err := os.MkdirTemp(dir, "state")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(state)
	address, err := freeAddress()
	if err != nil {
		return 0, 0, err
	}
	path, lua := filepath.Join(dir, "Caddyfile"), filepath.Join(dir, "keys.lua")
	err = errors.Join(os.WriteFile(path, fmt.Appendf(nil, config, state, mode, address), 0o600), os.WriteFile(lua, []byte(script), 0o600))
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", path)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
	if os.Getenv("WEIR_BENCH_LOG") != "" {
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if err := decides("http://" + address); err != nil {
		return 0, 0, err
	}
	if _, err := load(lua, address, span/5); err != nil { // warms up
		return 0, 0, err
	}
	before := used(cmd.Process.Pid)
	if rate, err = load(lua, address, span); err != nil {
		return 0, 0, err
	}
	cpu = float64((used(cmd.Process.Pid) - before).Microseconds()) / (rate * span.Seconds())
	return rate, cpu, decides("http://" + address)
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

// load runs wrk and returns the requests a second that were admitted.
func load(lua, address string, span time.Duration) (float64, error) {
	seconds := strconv.Itoa(max(1, int(span.Seconds())))
	out, err := exec.Command("wrk", "-t1", "-c64", "-d"+seconds+"s", "-s", lua, "http://"+address).CombinedOutput()
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
