package envoyrls

import (
	"context"
	"runtime/debug"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// recovered answers a call that panics, which would end the process otherwise.
func (d *Door) recovered(ctx context.Context, call any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (reply any, err error) {
	defer d.recover(&err)
	return next(ctx, call)
}

// recover makes an error of a panic. It is deferred.
func (d *Door) recover(err *error) {
	if r := recover(); r != nil {
		d.logger.Error("answering a call", zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
		*err = status.Error(codes.Internal, "internal error")
	}
}

// endable ends streams, which have no end of their own (Watch of the health
// service), when the door closes.
func (d *Door) endable(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer d.recover(&err)
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() {
		select {
		case <-d.ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	return next(srv, &endableStream{stream, ctx})
}

type endableStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the stream's context, which the door's closing ends.
func (s *endableStream) Context() context.Context { return s.ctx }
