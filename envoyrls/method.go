package envoyrls

import (
	"context"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
)

// register has the server answer calls by s. It does what the generated code
// does, but for how messages are read and written, see codec.
func (d *Door) register(s *service) {
	generated := &rls.RateLimitService_ServiceDesc
	d.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: generated.ServiceName,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: generated.Methods[0].MethodName,
			Handler: func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (answer any, err error) {
				defer d.recover(&err)
				q := questions.Get().(*question)
				if err := read(q); err != nil {
					return nil, err
				}
				answer, err = s.answer(ctx, &q.RateLimitRequest)
				q.recycle() // not where answering panicked
				return answer, err
			},
		}},
		Metadata: generated.Metadata,
	}, s)
}
