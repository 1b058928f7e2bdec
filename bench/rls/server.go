package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A server is a program that is measured.
type server struct {
	name     string
	constant bool
	promised bool // that it is fast
	address  string
	argv     []string
	env      []string
	// right returns what is wrong with the answer to the message, or nil.
	right func(r *rls.RateLimitResponse) error
}

// servers returns the constant ones, and Weir with each policy.
func servers(dir, caddy string) ([]server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []server
	for _, same := range []bool{false, true} {
		name := "gRPC's options"
		if same {
			name = "Weir's options"
		}
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		all = append(all, server{
			name: "a constant, " + name, constant: true, address: address,
			argv:  []string{self, "-constant", address, fmt.Sprintf("-same=%t", same)},
			right: func(r *rls.RateLimitResponse) error { return want(r, rls.RateLimitResponse_OK, 0) },
		})
	}
	for i, p := range policies {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, fmt.Sprintf("Caddyfile%d", i))
		if err := os.WriteFile(path, []byte(caddyfile(address, p.text)), 0o600); err != nil {
			return nil, err
		}
		all = append(all, server{
			name: "weir: " + p.name, promised: p.promised, address: address,
			argv:  []string{caddy, "run", "--adapter", "caddyfile", "--config", path},
			env:   []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "HOME=" + dir},
			right: func(r *rls.RateLimitResponse) error { return want(r, p.code, 3) },
		})
	}
	return all, nil
}

// want checks an answer's code, and how many headers it has at least.
func want(r *rls.RateLimitResponse, code rls.RateLimitResponse_Code, headers int) error {
	if r.GetOverallCode() != code || len(r.GetResponseHeadersToAdd()) < headers {
		return fmt.Errorf("answered %v", r)
	}
	return nil
}

// A result is what one measurement of a server found.
type result struct {
	rate float64       // calls a second
	cpu  time.Duration // that the server used for a call
}

// measure runs the server under load.
func (s *server) measure(dir string, calls int) (r result, err error) {
	cmd := exec.Command("taskset", append([]string{"-c", "0"}, s.argv...)...)
	cmd.Env = append(os.Environ(), append(s.env, "GOMAXPROCS=1")...)
	if os.Getenv("WEIR_BENCH_LOG") != "" {
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := s.ask(); err != nil {
		return r, err
	}
	if _, err := load(dir, s.address, calls/10); err != nil { // warms up
		return r, err
	}
	before := used(cmd.Process.Pid)
	if r.rate, err = load(dir, s.address, calls); err != nil {
		return r, err
	}
	r.cpu = (used(cmd.Process.Pid) - before) / time.Duration(calls)
	answer, err := s.ask()
	if err != nil {
		return r, err
	}
	return r, s.right(answer)
}

// used returns the processor time that a process has used; 0 where the system
// does not tell.
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

// ask waits for the server, and returns its answer to the message.
func (s *server) ask() (*rls.RateLimitResponse, error) {
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return rls.NewRateLimitServiceClient(conn).ShouldRateLimit(ctx, message(), grpc.WaitForReady(true))
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
