package envoyrls

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// A reply is a RateLimitResponse in wire format. Replies are written as they go
// out, because messages of protobuf cost several times what deciding does, and
// their memory is used again once they are gone.
type reply []byte

// Room of replies in bytes: at first, which holds most, and what may be kept.
// gRPC gives back none of less than a kilobyte.
const (
	replyRoom     = 2 << 10
	keptReplyRoom = 32 << 10
)

// replies has replies that are free.
var replies = &replyPool{sync.Pool{New: func() any {
	free := make([]byte, 0, replyRoom)
	return &free
}}}

// A replyPool is where gRPC gives replies back that it has sent.
type replyPool struct{ free sync.Pool }

// Get implements mem.BufferPool.
func (p *replyPool) Get(length int) *[]byte {
	b := p.free.Get().(*[]byte)
	if cap(*b) < length {
		*b = make([]byte, length)
	}
	*b = (*b)[:length]
	return b
}

// Put implements mem.BufferPool.
func (p *replyPool) Put(b *[]byte) {
	if cap(*b) <= keptReplyRoom {
		p.free.Put(b)
	}
}

// Interface guards
var _ mem.BufferPool = (*replyPool)(nil)
