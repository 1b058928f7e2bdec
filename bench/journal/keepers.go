package main

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/tidwall/wal"
	"go.etcd.io/bbolt"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/memory"
)

// A keeper keeps operations in a directory: one each time keep is called, by one
// of several callers.
type keeper struct {
	name string
	open func(dir string) (keep func(caller int) error, done func() error, err error)
}

// recordSize is the size of a record of one rolling charge.
const recordSize = 45

var keepers = []keeper{
	{"weir, a decision, durability none", weir(memory.None)},
	{"weir, a decision, durability interval", weir(memory.Interval)},
	{"weir, a decision, durability process", weir(memory.Process)},
	{"tidwall/wal, a record, NoSync", tidwall},
	{"bbolt, a record, NoSync, NoFreelistSync", bolt(false)},
	{"bbolt, a record, NoSync, Batch", bolt(true)},
	{"hashicorp/raft-wal, a record; waits for the disk", raftWAL},
}

// weir decides requests, each caller for a hundred subjects of its own.
func weir(d memory.Durability) func(string) (func(int) error, func() error, error) {
	return func(dir string) (func(int) error, func() error, error) {
		s := memory.New(memory.Options{Dir: dir, Durability: d})
		limit := &core.Limit{ID: 1, Policy: "bench", Name: "requests", Kind: core.Rolling, Length: 60_000_000}
		clock := core.NewClock()
		ops := make([]core.Take, callers)
		serial := make([]uint64, callers)
		return func(caller int) error {
			op := &ops[caller]
			if op.Charges == nil {
				op.Charges = []core.Charge{{Limit: limit, Cost: 1, Max: 1 << 40, Refusable: true}}
			}
			serial[caller]++
			op.Now, op.Policy = clock.Now(), "bench"
			op.Charges[0].Scope = core.Scope{Hi: serial[caller] % 100 * 0x9E3779B97F4A7C15, Lo: uint64(caller)}
			return s.Take(context.Background(), op)
		}, s.Close, s.Open()
	}
}

func tidwall(dir string) (func(int) error, func() error, error) {
	l, err := wal.Open(filepath.Join(dir, "wal"), &wal.Options{NoSync: true, NoCopy: true})
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex // an index must follow the one before
	var index uint64
	record := make([]byte, recordSize)
	return func(int) error {
		mu.Lock()
		defer mu.Unlock()
		index++
		return l.Write(index, record)
	}, l.Close, nil
}

func bolt(batch bool) func(string) (func(int) error, func() error, error) {
	return func(dir string) (func(int) error, func() error, error) {
		db, err := bbolt.Open(filepath.Join(dir, "bolt"), 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true})
		if err != nil {
			return nil, nil, err
		}
		db.MaxBatchDelay = time.Millisecond
		update := db.Update
		if batch {
			update = db.Batch
		}
		name := []byte("journal")
		record := make([]byte, recordSize)
		put := func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			n, err := b.NextSequence()
			if err != nil {
				return err
			}
			b.FillPercent = 1
			return b.Put(binary.BigEndian.AppendUint64(nil, n), record)
		}
		return func(int) error { return update(put) }, db.Close, nil
	}
}

func raftWAL(dir string) (func(int) error, func() error, error) {
	w, err := raftwal.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex // an index must follow the one before
	one := raft.Log{Data: make([]byte, recordSize)}
	return func(int) error {
		mu.Lock()
		defer mu.Unlock()
		one.Index++
		return w.StoreLog(&one)
	}, w.Close, nil
}
