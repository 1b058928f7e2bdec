package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	limit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/proto"
)

// message is what every call asks: one descriptor, as Envoy sends it.
func message() *rls.RateLimitRequest {
	d := new(limit.RateLimitDescriptor)
	for _, e := range [][2]string{
		{"method", "GET"}, {"path", "/v1/items/42?page=3"}, {"header.x-api-key", "0123456789abcdef0123456789abcdef"},
	} {
		d.Entries = append(d.Entries, &limit.RateLimitDescriptor_Entry{Key: e[0], Value: e[1]})
	}
	return &rls.RateLimitRequest{Domain: "bench", Descriptors: []*limit.RateLimitDescriptor{d}}
}

var (
	rateForm = regexp.MustCompile(`finished in [0-9.]+m?s, ([0-9.]+) req/s`)
	doneForm = regexp.MustCompile(`(\d+) succeeded`)
)

// load makes that many calls and returns how many a second were answered.
func load(dir, address string, calls int) (float64, error) {
	path := filepath.Join(dir, "message")
	if err := os.WriteFile(path, framed(message()), 0o600); err != nil {
		return 0, err
	}
	out, err := exec.Command("taskset", "-c", "1", "h2load", "-n", strconv.Itoa(calls), "-c", "4", "-m", "32", "-t", "1",
		"-d", path, "-H", "content-type: application/grpc", "-H", "te: trailers",
		"http://"+address+rls.RateLimitService_ShouldRateLimit_FullMethodName).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("h2load: %w\n%s", err, out)
	}
	rate, done := rateForm.FindSubmatch(out), doneForm.FindSubmatch(out)
	if rate == nil || done == nil || string(done[1]) != strconv.Itoa(calls) {
		return 0, fmt.Errorf("h2load did not get %d answers:\n%s", calls, out)
	}
	return strconv.ParseFloat(string(rate[1]), 64)
}

// framed is a message as gRPC sends it: not compressed, its length, itself.
func framed(m proto.Message) []byte {
	text, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}
