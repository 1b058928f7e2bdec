package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type counted struct{ calls int }

func (c *counted) RoundTrip(*http.Request) (*http.Response, error) {
	c.calls++
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"id":"a"}`))}, nil
}

// Who missed the memory just before a flight ended starts another: it finds
// what the first one brought.
func TestALateFlightAsksNobody(t *testing.T) {
	transport := &counted{}
	d, err := NewHTTP(HTTPConfig{URL: "http://accounts.example/"}, HTTPOptions{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	key := d.hasher.SumString(marker)
	for range 2 {
		if e, err := d.ask(key, marker); err != nil || e.subject.ID != "a" {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if transport.calls != 1 {
		t.Errorf("%d calls", transport.calls)
	}
}

// A slow is a service that never answers.
type slow struct{}

func (slow) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Questions about made-up credentials outlive those who sent them, but no more than are
// stated: above that they fail at once, until others have timed out.
func TestAttackFlightsThatOutliveTheirClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := NewHTTP(HTTPConfig{URL: "http://accounts.example/", MaxConnections: 4}, HTTPOptions{Transport: slow{}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		gone, leave := context.WithCancel(t.Context())
		leave()
		begun := time.Now()
		for round := range 2 {
			for i := range strangersOf(4) + maxWaiting {
				if _, err := d.Lookup(gone, fmt.Sprint("made-up-", round, "-", i)); !errors.Is(err, context.Canceled) {
					t.Fatalf("the %dth: %v", i, err)
				}
			}
			synctest.Wait()
			if n := d.waiting.Load(); n != maxWaiting {
				t.Errorf("%d wait, want %d", n, maxWaiting)
			}
			if _, err := d.Lookup(t.Context(), "one more"); !errors.Is(err, errBusy) {
				t.Errorf("one more: %v", err)
			}
			if took := time.Since(begun); took != time.Duration(round)*3*time.Second {
				t.Errorf("it took %s", took)
			}
			time.Sleep(3 * time.Second)
			if n := d.waiting.Load(); n != 0 {
				t.Errorf("%d wait after their timeout", n)
			}
		}
	})
}

// The rings of the caches are as bounded as their maps.
func TestACacheIsBounded(t *testing.T) {
	c := newCache(3)
	for i := range uint64(100) {
		e := &entry{}
		e.key.Hi = i
		c.put(e)
		if i%7 == 0 {
			c.drop(e.key)
		}
		if len(c.at) > 3 || len(c.ring) > 3 {
			t.Fatalf("%d entries in %d places", len(c.at), len(c.ring))
		}
	}
	for key, i := range c.at {
		if c.ring[i].key != key {
			t.Errorf("the entry of %v is another's", key)
		}
	}
}

// What is longer than any credential is not even hashed.
func TestASnapshotKnowsItsLongestCredential(t *testing.T) {
	s, err := parseFile([]byte(`{"subjects":{"abc":{"id":"a"},"b":{"id":"b"}}}`))
	if err != nil || s.longest != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}
