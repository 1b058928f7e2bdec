package main

import (
	"context"
	"net"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
)

// A constant answers every call with the same message.
type constant struct {
	rls.UnimplementedRateLimitServiceServer
	answer *rls.RateLimitResponse
}

// ShouldRateLimit implements rls.RateLimitServiceServer.
func (c *constant) ShouldRateLimit(context.Context, *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	return c.answer, nil
}

// serveConstant serves at the address, with gRPC as it is by default, or with the
// options that Weir has.
func serveConstant(address string, same bool) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	var options []grpc.ServerOption
	if same { // as envoyrls.Door
		options = append(options, grpc.NumStreamWorkers(256), grpc.MaxConcurrentStreams(1024))
	}
	s := grpc.NewServer(options...)
	rls.RegisterRateLimitServiceServer(s, &constant{answer: &rls.RateLimitResponse{
		OverallCode: rls.RateLimitResponse_OK,
		Statuses:    []*rls.RateLimitResponse_DescriptorStatus{{Code: rls.RateLimitResponse_OK}},
	}})
	return s.Serve(l)
}
