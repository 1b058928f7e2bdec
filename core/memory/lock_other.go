//go:build !windows && (!unix || solaris || aix)

package memory

import (
	"fmt"
	"runtime"
)

// A dirLock keeps other processes out of a state directory.
type dirLock struct{}

func lockDir(dir string) (*dirLock, error) {
	return nil, fmt.Errorf("state directory %s: %s has no file locks that Weir knows; use a volatile store", dir, runtime.GOOS)
}

func (*dirLock) holds(string) bool { return true }

func (*dirLock) unlock() {}
