package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// A tortureClient sends one thing after the other, and tells the record.
type tortureClient struct {
	w      *world
	random *rand.Rand
}

// run acts until the world stops.
func (c *tortureClient) run() {
	for {
		select {
		case <-c.w.stop:
			return
		default:
		}
		c.w.gate.RLock()
		answered := c.w.act(c)
		c.w.gate.RUnlock()
		if !answered {
			time.Sleep(3 * time.Millisecond)
		}
	}
}

// act does something; false if nobody answered.
func (c *tortureClient) act() bool {
	r, main := c.record(), "m"+strconv.Itoa(c.random.IntN(4))
	switch n := c.random.IntN(100); {
	case n < 35:
		return c.shoot(main, "/all", 1+c.random.Int64N(9))
	case n < 50:
		return c.shoot(r.quotaSubject(), "/quota/"+c.kind(4), 1+c.random.Int64N(3))
	case n < 65:
		return c.shoot("b", "/burst/"+c.kind(4), 1)
	case n < 73:
		return c.shoot("m0", "/slow", c.random.Int64N(30))
	case n < 81:
		return c.lease(main)
	case n < 88:
		return c.release()
	case n < 91:
		return c.heartbeat()
	case n < 94:
		return c.shoot(main, "/settled", []int64{0, 250_000, reserved, 1_750_001}[c.random.IntN(4)])
	case n < 97:
		return c.settle(main)
	}
	return c.set(main)
}

// charge does what is counted for good or not at all: it is answered in the end
// by whoever counts.
func (c *tortureClient) charge() bool {
	r, main := c.record(), "m"+strconv.Itoa(c.random.IntN(4))
	switch n := c.random.IntN(20); {
	case n < 12:
		return c.shoot(main, "/all", 1+c.random.Int64N(9))
	case n < 16:
		return c.shoot(r.quotaSubject(), "/quota/"+c.kind(4), 1+c.random.Int64N(3))
	case n < 18:
		return c.shoot("b", "/burst/"+c.kind(4), 1)
	}
	return c.settle(main)
}

func (c *tortureClient) record() *record { return c.w.record }

// kind is one of the first n kinds.
func (c *tortureClient) kind(n int) string {
	return quotaKinds[c.random.IntN(n)]
}

// shoot sends a request.
func (c *tortureClient) shoot(subject, path string, n int64) bool {
	if path == "/burst/calendar" {
		path = "/burst/rolling"
	}
	s := c.record().fire(&shot{subject: subject, path: path, n: n})
	status := c.send(s, path+"?n="+strconv.FormatInt(n, 10))
	c.record().done(s, status)
	return status != 0
}

// send sends a request and returns its status, 0 without a whole answer. It is
// a POST, which no client or proxy repeats by itself.
func (c *tortureClient) send(s *shot, uri string) int {
	req, err := http.NewRequest(http.MethodPost, c.w.g.URL+uri, nil)
	if err != nil {
		panic(err)
	}
	req.Header.Set("X-API-Key", s.subject)
	req.Header.Set(shotHeader, strconv.FormatUint(s.id, 10))
	resp, err := c.w.g.client.Do(req)
	if err != nil {
		return 0
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return 0
	}
	return resp.StatusCode
}

// lease starts a job, of those with a long TTL or a short one.
func (c *tortureClient) lease(subject string) bool {
	j := &job{subject: subject, path: "/jobs", ttl: jobTTL * time.Second}
	if c.random.IntN(3) == 0 {
		j.path, j.ttl = "/briefs", briefTTL*time.Second
	}
	s := c.record().fire(&shot{subject: subject, path: j.path, n: 1, job: j})
	status := c.send(s, j.path)
	c.record().done(s, status)
	return status != 0
}

// release ends a job, by the origin's voice or the admin API.
func (c *tortureClient) release() bool {
	r := c.record()
	j := r.pick(c.random, true)
	if j == nil {
		return true
	}
	var answer struct{ Released, Ignored int }
	answered := false
	if c.random.IntN(2) == 0 {
		s := r.fire(&shot{subject: j.subject, path: "/done", n: 1})
		status := c.send(s, "/done?job="+j.name)
		r.done(s, status)
		answered = status == http.StatusOK
		answer.Released = 1 // nobody tells
	} else {
		answered = c.w.g.tell("release", j.subject, map[string]any{"leases": []string{j.name}}, &answer)
	}
	r.released(j, answered, answer.Released == 1)
	return answered
}

// heartbeat prolongs a job.
func (c *tortureClient) heartbeat() bool {
	r := c.record()
	j := r.pick(c.random, false)
	if j == nil {
		return true
	}
	start := time.Now()
	var answer struct{ Renewed, Ignored int }
	answered := c.w.g.tell("heartbeat", j.subject, map[string]any{"leases": []string{j.name}}, &answer)
	r.renewed(j, start, answered, answer.Renewed == 1)
	return answered
}

// settle settles a bill through the admin API: a new one, or one once more.
func (c *tortureClient) settle(subject string) bool {
	r := c.record()
	b := r.bill(c.random, subject)
	if b == nil {
		return true
	}
	var answer struct{ Duplicate bool }
	body := map[string]any{"id": b.id, "cost": json.Number(inMillionths(b.cost))}
	answered := c.w.g.tell("settle", b.subject, body, &answer)
	r.settled(b, answered, answer.Duplicate)
	return answered
}

// set sets an attribute, by the origin's voice or the admin API.
func (c *tortureClient) set(subject string) bool {
	r := c.record()
	value := r.setting(subject)
	if value == 0 {
		return true // another client is about it
	}
	answered := false
	if c.random.IntN(2) == 0 {
		s := r.fire(&shot{subject: subject, path: "/set", n: 1})
		status := c.send(s, fmt.Sprintf("/set?credits=%d", value))
		r.done(s, status)
		answered = status == http.StatusOK
	} else {
		answered = c.w.g.tell("set", subject, map[string]any{"attributes": map[string]int64{"credits": value}}, nil)
	}
	r.set(subject, value, answered)
	return answered
}

// tell asks Weir's admin API to do something for a credential; false without a
// whole answer of success.
func (g *Gateway) tell(action, key string, body map[string]any, answer any) bool {
	body["key"] = key
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	url := "http://" + g.admin + "/weir/policies/torture/keys/" + action
	resp, err := g.client.Post(url, "application/json", bytes.NewReader(text))
	if err != nil {
		return false
	}
	text, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	return answer == nil || json.Unmarshal(text, answer) == nil
}
