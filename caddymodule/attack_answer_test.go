package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAttackKeysTellNothing: whether a key was never given out, was revoked, or is
// nearly right does not show in the answer, nor, unless the policy says so,
// whether there is one at all.
func TestAttackKeysTellNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "subjects.json")
	write := func(text string) {
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"subjects":{"key-of-alice":{"id":"alice"},"key-of-bob":{"id":"bob"}}}`)
	g := start(t, `weir {
		store memory volatile
		directory file `+file+` {
			poll 10ms
		}
		policy api {
			subject {header.X-API-Key}
			limit requests {
				rolling 60s
				max 100
			}
			headers x-ratelimit unix
		}
	}`, "weir api\nrespond ok")
	g.wantStatus(g.do("GET", "/", "X-API-Key: key-of-bob"), 200)
	write(`{"subjects":{"key-of-alice":{"id":"alice"}}}`)
	eventually(t, "bob's key is revoked", func() bool { return g.do("GET", "/", "X-API-Key: key-of-bob").status != 200 })
	answer := func(lines ...string) string {
		e := g.do("GET", "/", lines...)
		e.header.Del("Date")
		return fmt.Sprint(e.status, e.header, e.body)
	}
	want := answer("X-API-Key: made-up")
	for name, line := range map[string]string{
		"revoked": "X-API-Key: key-of-bob", "nearly right": "X-API-Key: key-of-alicf", "a prefix": "X-API-Key: key-of-alic",
		"longer": "X-API-Key: key-of-alice1", "in capitals": "X-API-Key: KEY-OF-ALICE", "huge": "X-API-Key: " + strings.Repeat("k", 10<<10),
		"none": "X-Other: x", "empty": "X-API-Key: ",
	} {
		if got := answer(line); got != want {
			t.Errorf("%s: %s, want %s as for a made-up one", name, got, want)
		}
	}
	if !strings.HasPrefix(want, "401 ") {
		t.Errorf("answered %s", want)
	}
}

// TestAttackControlsInAttributes: whatever a directory says of a subject, it
// begins no header line of the answer, and a JSON body stays JSON that says it.
func TestAttackControlsInAttributes(t *testing.T) {
	values := []string{
		"x\r\nSet-Cookie: a=b", "x\nSet-Cookie: a=b", "x\rSet-Cookie: a=b", "x\r\n\r\n<html>", `"},{"a":"b`, `\`, `\u0022`, "\x00\x01\x1f\x7f\u0080",
		"\u2028\u2029", "\xff\xfe", "\xed\xa0\x80", "{weir.max}", "{{.}}", "</script>", strings.Repeat("é", 100),
	}
	subjects := map[string]any{}
	for i, v := range values {
		subjects[fmt.Sprint("key-", i)] = map[string]any{"id": v + fmt.Sprint(i), "plan": v, "note": v}
	}
	file := filepath.Join(t.TempDir(), "subjects.json")
	text, err := json.Marshal(map[string]any{"subjects": subjects})
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, `weir {
		store memory volatile
		directory file `+file+`
		policy api {
			subject {header.X-API-Key}
			plans n {
				default 0
			}
			limit requests {
				rolling 60s
				max {subject.n}
			}
			deny 429 <<BODY
				{"quoted":"{weir.subject.note}!","bare":{weir.subject.note},"id":{weir.subject.id},"plan":"{weir.subject.plan}"}
				BODY
			usage GET /usage <<BODY
				{"note":{weir.subject.note}}
				BODY
			headers ratelimit
		}
	}`, "header X-Note {weir.subject.note}\nheader X-Id {weir.subject.id}\nheader >X-Plan {weir.subject.plan}\nweir api\nrespond ok")
	for i, v := range values {
		for _, path := range []string{"/", "/usage"} {
			answer := g.raw(fmt.Sprintf("GET %s HTTP/1.1\nHost: %s\nX-API-Key: key-%d\nConnection: close\n\n", path, g.site, i))
			head, body, _ := strings.Cut(answer, "\n\n")
			for line := range strings.SplitSeq(strings.ReplaceAll(head, "\r", "\n"), "\n") {
				if strings.HasPrefix(line, "Set-Cookie") || strings.HasPrefix(line, "<html>") {
					t.Errorf("%q splits the answer:\n%s", v, answer)
				}
			}
			var told map[string]string
			if err := json.Unmarshal([]byte(body), &told); err != nil {
				t.Errorf("%q: %v in %q", v, err, body)
				continue
			}
			as := strings.ToValidUTF8(v, "\ufffd")
			if v == "\xff\xfe" || v == "\xed\xa0\x80" { // one for each byte, as JSON has it
				as = strings.Repeat("\ufffd", len(v))
			}
			want := map[string]string{"quoted": as + "!", "bare": as, "id": as + fmt.Sprint(i), "plan": as}
			if path == "/usage" {
				want = map[string]string{"note": as}
			}
			if fmt.Sprint(told) != fmt.Sprint(want) {
				t.Errorf("told %q, want %q", told, want)
			}
		}
	}
}

// TestAttackControlsFromAnAdministrator: no attribute can be set that holds a
// control character.
func TestAttackControlsFromAnAdministrator(t *testing.T) {
	g := start(t, administered, "weir api\nrespond ok")
	for value, status := range map[string]int{
		`"plain"`: 200, `"x\r\nSet-Cookie: a=b"`: 400, `"x\u0000"`: 400, `"\u007f"`: 400, `"a, plan=pro"`: 400,
		`"` + strings.Repeat("x", 257) + `"`: 400,
	} {
		e := g.call("POST", "/weir/policies/api/subjects/alice/set", `{"attributes":{"note":`+value+`}}`)
		if e.status != status {
			t.Errorf("%.40s: status %d, want %d: %s", value, e.status, status, e.body)
		}
	}
}

// TestAttackAdminFromABrowser: a page that an administrator's browser shows can
// neither change nor read anything: not by a request that a browser sends without
// asking, nor through a name of its own that resolves to this machine.
func TestAttackAdminFromABrowser(t *testing.T) {
	g := start(t, administered, "weir api\nrespond ok")
	const alice = "/weir/policies/api/subjects/alice"
	own := "http://" + g.admin
	for name, test := range map[string]struct {
		method, path string
		lines        []string
		host         string
		status       int
	}{
		"a form":                      {"POST", alice + "/set", []string{"Origin: http://evil.example", "Content-Type: text/plain"}, "", 403},
		"a form, no fetch metadata":   {"POST", alice + "/set", []string{"Origin: http://evil.example", "Content-Type: application/x-www-form-urlencoded"}, "", 403},
		"fetch without CORS":          {"POST", alice + "/set", []string{"Origin: http://evil.example", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Site: cross-site"}, "", 400},
		"from a sandbox":              {"POST", alice + "/set", []string{"Origin: null"}, "", 400},
		"a navigation":                {"POST", alice + "/set", []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site"}, "", 403},
		"a navigation with a referer": {"POST", alice + "/set", []string{"Sec-Fetch-Mode: navigate", "Referer: http://evil.example/"}, "", 403},
		"another port of this host":   {"POST", alice + "/set", []string{"Origin: http://127.0.0.1:1"}, "", 403},
		"a name that rebinds":         {"POST", alice + "/set", nil, "evil.example", 403},
		"… and says so":               {"POST", alice + "/set", []string{"Origin: http://evil.example"}, "evil.example", 403},
		"a preflight":                 {"OPTIONS", alice + "/set", []string{"Origin: http://evil.example", "Access-Control-Request-Method: POST"}, "", 403},
		"reading":                     {"GET", alice, []string{"Origin: http://evil.example"}, "", 403},
		"an image":                    {"GET", alice, []string{"Sec-Fetch-Mode: no-cors"}, "", 400},
		"a socket":                    {"GET", alice, []string{"Upgrade: websocket", "Connection: Upgrade"}, "", 400},
		"changing by GET":             {"GET", alice + "/reset", nil, "", 405},
		"… or HEAD":                   {"HEAD", alice + "/set", nil, "", 405},
		"… or another method":         {"PUT", alice + "/set", nil, "", 405},
		"a body that is too large":    {"POST", alice + "/set", []string{"X-Large: 1"}, "", 413},
		"its own page":                {"POST", alice + "/set", []string{"Origin: " + own}, "", 200},
		"no browser":                  {"POST", alice + "/set", nil, "", 200},
	} {
		body := `{"attributes":{"note":"` + strings.ReplaceAll(name, " ", "-") + `"}}`
		if test.status == 413 {
			body += strings.Repeat(" ", 65<<10)
		}
		g.wantJSON(g.call("POST", alice+"/set", `{"attributes":{"note":"before"}}`), `{}`)
		r := g.request(test.method, "", strings.NewReader(body), test.lines...)
		r.URL.Host, r.URL.Path, r.Host = g.admin, test.path, test.host
		e := g.send(fresh, r)
		if e.status != test.status {
			t.Errorf("%s: status %d, want %d: %s", name, e.status, test.status, e.body)
		}
		changed := !strings.Contains(g.call("GET", alice, "").body, `"note":"before"`)
		if changed != (test.status == 200) {
			t.Errorf("%s: changed something: %v", name, changed)
		}
		if allow := e.header.Get("Access-Control-Allow-Origin"); allow != "" && allow != own {
			t.Errorf("%s: a page at %s may read the answer", name, allow)
		}
	}
}

// TestAttackLogLines: nothing that a client sends begins a line of the log.
func TestAttackLogLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	g := start(t, "log {\noutput file "+file+"\nlevel DEBUG\n}\n"+guarded, "log\nweir api\nrespond ok")
	forged := `{"level":"error","logger":"weir","msg":"forged"}`
	for _, line := range []string{
		"X-API-Key: a\tb" + forged, "X-Forwarded-For: " + forged, "User-Agent: " + forged, "X-API-Key: \u2028" + forged,
	} {
		g.do("POST", "/v1/jobs?x=%0a%22", line)
		g.do("POST", "/%0d%0a{\"level\":\"error\"}", line)
	}
	g.load(guarded, "respond ok") // closes the file
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == "forged" {
			t.Errorf("%v in the log's line %s", err, line)
		}
	}
	if len(lines) < 8 {
		t.Errorf("the log has only %d lines", len(lines))
	}
}
