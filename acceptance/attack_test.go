package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// attackSite has a limit of each sort that an attack may upset.
const attackSite = `{
	admin {$WEIR_ADMIN}
	log {
		level DEBUG
		output file {$HOME}/log
		format filter {
			request>headers>X-Api-Key delete
			request>uri query {
				delete key
			}
		}
	}
	servers {
		protocols h1 h2c
		timeouts {
			read_body 3s
		}
	}
	weir {
		store memory "{$WEIR_STATE}"
		directory file "{$WEIR_SUBJECTS}"
		policy attack {
			subject {header.X-API-Key} {
				or {header.Authorization} bearer
				or {cookie.key}
				or {query.key}
			}
			limit all {
				rolling 1h
				max 1000000
			}
			limit response {
				match GET /response
				hold response
				max 1000000
			}
			limit released {
				match POST /released
				hold released
				ttl 1h
				max 1000000
			}
			limit one {
				match POST /images
				hold response
				max 1
			}
			limit images {
				match POST /images
				cost {json.images.length}
				rolling 1h
				max 1000
			}
			usage GET /usage <<BODY
				{"all":{weir.limits.all.used},"response":{weir.limits.response.used},"released":{weir.limits.released.used},"one":{weir.limits.one.used},"images":{weir.limits.images.used}}
				BODY
		}
	}
}

http://:{$WEIR_PORT} {
	bind 127.0.0.1
	log
	weir attack
	reverse_proxy {$WEIR_ORIGIN}
}
`

// used is what a key's usage answer tells, by limit.
func (g *Gateway) used(t testing.TB, key string) map[string]int {
	t.Helper()
	a := g.Send(t, get("", "/usage").with("X-Api-Key", key)).want(t, 200)
	used := map[string]int{}
	if err := json.Unmarshal(a.Body, &used); err != nil {
		t.Fatal(err)
	}
	return used
}

// metric is the sum of a metric's samples whose line the pattern finds.
func (g *Gateway) metric(t testing.TB, pattern string) int {
	t.Helper()
	sum := 0.0
	for _, m := range regexp.MustCompile(`(?m)^`+pattern+`.*? (\S+)$`).FindAllStringSubmatch(g.ask(t, "/metrics"), -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return int(sum)
}

// ask is what the admin API answers.
func (g *Gateway) ask(t testing.TB, path string) string {
	t.Helper()
	resp, err := g.client.Get("http://" + g.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A footprint is what an attack must leave as it was.
type footprint struct{ goroutines, holds, leases, cells int }

// footprint is the gateway's, without the connections that tests keep.
func (g *Gateway) footprint(t testing.TB) footprint {
	t.Helper()
	g.client.CloseIdleConnections()
	return footprint{
		g.metric(t, "go_goroutines"), g.metric(t, "weir_holds"), g.metric(t, "weir_leases"), g.metric(t, "weir_cells"),
	}
}

// wantFootprint waits until all is as it was before, but for some goroutines of
// connections that Caddy keeps to the origin, and so many cells more.
func (g *Gateway) wantFootprint(t testing.TB, before footprint, cells int) {
	t.Helper()
	const kept = 100 // Caddy keeps 32 connections idle
	var now footprint
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		now = g.footprint(t)
		if now.goroutines <= before.goroutines+kept && now.holds == before.holds && now.leases == before.leases && now.cells <= before.cells+cells {
			return
		}
	}
	t.Errorf("the attack left %+v behind, of %+v before", now, before)
}

// memory is how much of the machine's memory the process has, in bytes.
func (g *Gateway) memory(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.process.Process.Pid))
	if err != nil {
		absent(t.(*testing.T), "%v", err)
	}
	m := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`).FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("no VmRSS")
	}
	kilobytes, _ := strconv.Atoi(m[1])
	return kilobytes << 10
}

// TestAttackSlowBodies: who sends a body that a cost is in by and by, or never,
// takes nothing meanwhile and keeps nobody out, not even with the same key, until
// Caddy's read_body ends it.
func TestAttackSlowBodies(t *testing.T) {
	t.Parallel()
	g := StartConfig(t, "attack", attackSite, Subjects{"k": {"id": "k"}})
	body := `{"images":[1,2,3]}`
	send := func() *Answer { return g.Send(t, post("", "/images").with("X-Api-Key", "k").body(body)) }
	send().want(t, 200)
	before := g.footprint(t)
	var slow []wire
	for i := range 100 {
		w := g.dial(t)
		framing := "Content-Length: 18\r\n\r\n" + `{"images":[`
		if i%2 == 1 {
			framing = "Transfer-Encoding: chunked\r\n\r\nb\r\n" + `{"images":[` + "\r\n"
		}
		w.send(t, "POST /images HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\n"+framing)
		slow = append(slow, w)
	}
	for n := 2; n <= 10; n++ {
		send().want(t, 200)
		if used := g.used(t, "k"); used["one"] != 0 || used["images"] != 3*n {
			t.Fatalf("while others send slowly: %v", used)
		}
	}
	for _, w := range slow {
		resp, err := http.ReadResponse(w.in, &http.Request{Method: "POST"})
		if err == nil && resp.StatusCode < 400 {
			t.Errorf("a body that never ended was answered %d", resp.StatusCode)
		}
		_ = w.Close()
	}
	if used := g.used(t, "k"); used["one"] != 0 || used["images"] != 30 || used["all"] != 10 {
		t.Errorf("slow bodies were charged: %v", used)
	}
	g.wantFootprint(t, before, 0)
}

// TestAttackCanaryKey: keys, known or not, are nowhere but in the file that they
// came from: not in the state, the log at its most talkative, the metrics, the
// admin API's answers, the answers to clients or what the origin is told by Weir.
func TestAttackCanaryKey(t *testing.T) {
	t.Parallel()
	const known, unknown = "canary-that-is-known", "canary-that-is-not"
	g := StartConfig(t, "attack", attackSite, Subjects{known: {"id": "someone"}})
	var told []string
	for _, key := range []string{known, unknown} {
		for _, c := range []Call{
			post("", "/released").with("X-Api-Key", key), post("", "/images").with("Authorization", "Bearer "+key).body(`{"images":[1]}`),
			get("", "/x").with("Cookie", "key="+key), get("", "/x?key="+key), get("", "/usage").with("X-Api-Key", key),
			get("", "/x").with("X-Api-Key", key).with("X-Api-Key", key), get("", "/x").with("X-Api-Key", key).with(scriptBreak, "before"),
			post("", "/released").with("X-Api-Key", key).told("Weir-Lease: l").told("Weir-Cost: x").told("Weir-Set: note=y"),
			post("", "/images").with("X-Api-Key", key).with("Content-Encoding", "br").body("{}"),
		} {
			a := g.Send(t, c)
			told = append(told, fmt.Sprint(a.Header, string(a.Body)))
		}
		for _, action := range []string{"usage", "set", "settle", "release", "nonsense"} {
			body := fmt.Sprintf(`{"key":%q,"attributes":{"note":"z"}}`, key)
			resp, err := g.client.Post("http://"+g.admin+"/weir/policies/attack/keys/"+action, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			told = append(told, string(text))
		}
	}
	told = append(told, g.ask(t, "/metrics"), g.ask(t, "/weir/policies"), g.ask(t, "/weir/policies/attack/subjects/someone"), g.ask(t, "/config/"))
	g.Stop(t)
	told = append(told, g.log.all())
	files := 0
	err := filepath.WalkDir(filepath.Dir(g.config), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == g.subjects {
			return err
		}
		text, err := os.ReadFile(path)
		told, files = append(told, path+"\n"+string(text)), files+1
		return err
	})
	if err != nil || files < 4 {
		t.Fatalf("only %d files to look at, %v", files, err)
	}
	for _, text := range told {
		for _, key := range []string{known, unknown} {
			if i := strings.Index(text, key); i >= 0 {
				t.Errorf("%s is in …%s…", key, text[max(0, i-300):i+len(key)])
			}
		}
	}
}
