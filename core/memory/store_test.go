package memory

import (
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) core.Store { return newStore(t, Options{}) })
}

func TestStoreOfOneShard(t *testing.T) {
	storetest.Run(t, func(t testing.TB) core.Store { return newStore(t, Options{Shards: 1}) })
}
