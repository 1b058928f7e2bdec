package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPages runs the pages' own code, and holds their samples to what the
// gateway answers. It needs the pages; all else in this package does not.
func TestPages(t *testing.T) {
	t.Parallel()
	shared(t)
	sameDay()
	for page, proofs := range map[string][]proof{
		"headshotpro": headshotproSnippets(), "predictions": predictionsSnippets(), "shelfforce": shelfforceSnippets(),
		"magnetite": magnetiteSnippets(), "outfit": outfitSnippets(),
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			prove(t, Start, page, proofs)
		})
	}
	try(t, Start, pageTrials())
}

func headshotproSnippets() []proof {
	return []proof{
		{"H9 apiRequest", Subjects{"s9": org("s9", "standard", 0)}, pageWatching},
		{"H10 apiRequestWithRetry", Subjects{"s10": org("s10", "standard", 0)}, pageReturning},
		{"H11 RateLimitedQueue", Subjects{"s11": org("s11", "standard", 200)}, pageQueue},
		{"H13 getOrganization", Subjects{"s13": org("s13", "standard", 0)}, pageCaching},
		{"H14 pollModelStatus", Subjects{"s14": org("s14", "standard", 0)}, pagePolling},
	}
}

func pageWatching(t *testing.T, g *Gateway) {
	g.Volley(t, 268, func(int) Call { return organization("s9") })
	g.node(t, "s9", snippet(t, "headshotpro", "async function apiRequest(")+`
		const statuses = [];
		for (let n = 0; n < 4; n++) statuses.push((await apiRequest('/api/v2/organization', {})).status);
		report([statuses, warnings.length, warnings.every((w) => /29\/300|28\/300/.test(w))]);`,
	).wantResult(t, `[[200, 200, 200, 200], 2, true]`)
}

func pageReturning(t *testing.T, g *Gateway) {
	wantTally(t, g.Volley(t, 300, func(int) Call { return organization("s10") }), 300, 0)
	g.node(t, "s10", snippet(t, "headshotpro", "async function apiRequestWithRetry(")+`
		report((await apiRequestWithRetry('/api/v2/organization', {})).status);`,
	).wantResult(t, `200`).wantLogs(t, 1, "Waiting")
	if n := len(g.Origin.From("s10")); n != 301 {
		t.Errorf("%d reached the origin", n)
	}
}

func pageQueue(t *testing.T, g *Gateway) {
	g.node(t, "s11", snippet(t, "headshotpro", "class RateLimitedQueue")+`
		const queue = new RateLimitedQueue(300);
		const createInvite = async (email) =>
			(await fetch('/api/v2/organization/invites', { method: 'POST', body: email })).status;
		const emails = Array.from({ length: 320 }, (_, n) => n + '@example.com');
		const statuses = await Promise.all(emails.map((email) => queue.add(() => createInvite(email))));
		report([statuses.length, statuses.every((status) => status === 200)]);`,
	).wantResult(t, `[320, true]`)
}

func pageCaching(t *testing.T, g *Gateway) {
	code := snippet(t, "headshotpro", "const cache = new Map()")
	if !strings.Contains(code, "{ ... }") {
		t.Error("C0: getOrganization's options are not elided")
	}
	g.node(t, "s13", strings.ReplaceAll(code, "{ ... }", "{}")+`
		report([await getOrganization(), await getOrganization()]);`,
	).wantResult(t, `[{"ok": true}, {"ok": true}]`)
	if n := len(g.Origin.From("s13")); n != 1 {
		t.Errorf("%d reached the origin", n)
	}
}

func pagePolling(t *testing.T, g *Gateway) {
	g.node(t, "s14", snippet(t, "headshotpro", "async function pollModelStatus(")+`
		let polls = 0;
		const getModel = async (id) => {
			const status = ++polls < 3 ? 'pending' : 'active';
			const body = JSON.stringify({ model: { status } });
			return (await fetch('/api/v2/models/' + id, { headers: { 'X-Test-Body': body } })).json();
		};
		report([await pollModelStatus('m1'), polls]);`,
	).wantResult(t, `[{"status": "active"}, 3]`)
	g.Send(t, organization("s14")).want(t, 200).rate(t, 300, 296)
}

func predictionsSnippets() []proof {
	return []proof{
		{"P11 apiRequest while a prediction ends", Subjects{"s11-r": account("s11r", "concurrent_predictions", 1)}, pageRunning},
		{"P11 A-P4 apiRequest in vain", Subjects{"s11-m": account("s11m", "requests_per_minute", 2)}, pageInVain},
		{"P11 apiRequest while the minute ends", Subjects{"s11-e": account("s11e", "requests_per_minute", 2)}, pageInTime},
	}
}

const cappedHead = "async function apiRequest("

func pageRunning(t *testing.T, g *Gateway) {
	g.Send(t, create("s11-r", "s11-1")).want(t, 201)
	g.node(t, "s11-r", snippet(t, "predictions", cappedHead)+`
		let ended; // before the client's wait is over
		const wait = setTimeout;
		globalThis.setTimeout = (next, ms) => wait(() => Promise.resolve(ended).then(next), ms);
		const log = console.log;
		console.log = (words) => {
			log(words);
			ended ??= fetch('/v1/predictions/s11-1', { headers: { 'X-Test-Set': 'Weir-Release: s11-1' } });
		};
		report((await apiRequest('/v1/predictions', { method: 'POST' })).status);`,
	).wantResult(t, `200`).wantLogs(t, 1, "1000ms")
}

func pageInVain(t *testing.T, g *Gateway) {
	g.Times(t, 2, poll("s11-m", "1"), 200)
	o := g.node(t, "s11-m", snippet(t, "predictions", cappedHead)+`
		report(await attempt(() => apiRequest('/v1/predictions/1', {})));`)
	o.wantResult(t, `{"error": "Max retries exceeded"}`).wantLogs(t, 3, "000ms")
	for n, wait := range []string{" 1000ms", " 2000ms", " 4000ms"} {
		if n < len(o.Logs) && !strings.Contains(o.Logs[n], wait) {
			t.Errorf("wait %d: %q", n+1, o.Logs[n])
		}
	}
}

func pageInTime(t *testing.T, g *Gateway) {
	g.Times(t, 2, poll("s11-e", "1"), 200)
	until(g.Send(t, poll("s11-e", "1")).wantMinuteRefusal(t, 2).reset(t).Add(-2500 * time.Millisecond))
	g.node(t, "s11-e", snippet(t, "predictions", cappedHead)+`
		report((await apiRequest('/v1/predictions/1', {})).status);`,
	).wantResult(t, `200`)
}

func shelfforceSnippets() []proof {
	return []proof{
		{"S11 A-S8 fetchWithBackoff", Subjects{"s11-s": shop("s11s", "free")}, pageBackoff},
	}
}

func pageBackoff(t *testing.T, g *Gateway) {
	g.Times(t, 5, analysis("s11-s"), 200)
	g.node(t, "s11-s", untyped(snippet(t, "shelfforce", "async function fetchWithBackoff("))+`
		report((await fetchWithBackoff('/api/v1/analyses', { method: 'POST' })).status);`,
	).wantResult(t, `200`).wantLogs(t, 1, "000ms")
}

func magnetiteSnippets() []proof {
	return []proof{
		{"M7 makeRequestWithBackoff", Subjects{"s7": site("s7")}, pageExact},
		{"M8 checkRateLimit", Subjects{"s8": site("s8")}, pageCautious},
		{"M9 A-M8 processBatch", Subjects{"s9-b": site("s9b")}, pageBatches},
	}
}

func pageExact(t *testing.T, g *Gateway) {
	g.steadily(t, 10, generate("s7"), 5)
	g.node(t, "s7", snippet(t, "magnetite", "async function makeRequestWithBackoff(")+`
		report((await makeRequestWithBackoff('/projects/generate', { method: 'POST' }))?.status);`,
	).wantResult(t, `200`)
	if n := len(g.Origin.From("s7")); n != 11 {
		t.Errorf("%d reached the origin", n)
	}
}

func pageCautious(t *testing.T, g *Gateway) {
	all := g.steadily(t, 6, generate("s8"), 5)
	until(all[4].Got.Add(time.Second + slack)) // out of the first burst
	reset := all[0].reset(t).UTC().Format("2006-01-02T15:04:05.000Z")
	g.node(t, "s8", snippet(t, "magnetite", "function checkRateLimit(")+`
		const checks = [];
		for (let n = 0; n < 2; n++)
			checks.push(checkRateLimit(await fetch('/projects/generate', { method: 'POST' })));
		report(checks);`,
	).wantResult(t, fmt.Sprintf(
		`[{"remaining": 3, "reset": %q, "shouldWait": false}, {"remaining": 2, "reset": %q, "shouldWait": true}]`, reset, reset))
}

func pageBatches(t *testing.T, g *Gateway) {
	g.node(t, "s9-b", snippet(t, "magnetite", "async function processBatch(")+`
		const processItem = async () => (await fetch('/projects/generate', { method: 'POST' })).status;
		report(await processBatch(Array(15).fill(0), 5));`,
	).wantResult(t, `[200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 429, 429, 429, 429, 429]`)
}

func outfitSnippets() []proof {
	return []proof{
		{"O13 call_with_retry", Subjects{"s13-o": wearer("s13o")}, pagePython},
		{"O14 callWithRetry", Subjects{"s14-o": wearer("s14o")}, pageTypeScript},
	}
}

func pagePython(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	running := g.Begin(t, style("s13-o").at(gate))
	gate.Arrived(t, 1)
	code := "import json, os, time, builtins\nimport requests\n" +
		pythonFunction(t, "outfit", "def call_with_retry(", "TypeScript / JavaScript") + `
logs = []
print = lambda *words: logs.append(" ".join(map(str, words)))
BASE, HEADERS = os.environ["BASE_URL"], {"X-API-Key": os.environ["KEY"]}

def style(script):
    response = requests.post(BASE + "/style_me", headers={**HEADERS, **script})
    if response.status_code == 429:
        requests.get(BASE + "/images", headers={**HEADERS, "X-Test-Open": "` + gate.name + `"})
    response.raise_for_status()
    return response.json()

def attempt(*args):
    try:
        return call_with_retry(style, *args)
    except requests.HTTPError as error:
        return {"status": error.response.status_code}

builtins.print(json.dumps({"logs": logs, "result": [attempt({}), attempt({"X-Test-Status": "500"})]}))
`
	g.python(t, "s13-o", code).wantResult(t, `[{"ok": true}, {"status": 500}]`).wantLogs(t, 1, "Retrying in")
	running().wantStyled(t, 19)
}

func pageTypeScript(t *testing.T, g *Gateway) {
	gate := g.Origin.Gate()
	running := g.Begin(t, style("s14-o").at(gate))
	gate.Arrived(t, 1)
	g.node(t, "s14-o", untyped(snippet(t, "outfit", "async function callWithRetry"))+`
		const send = async (headers) => {
			const response = await fetch('/style_me', { method: 'POST', headers });
			if (response.status === 429) await fetch('/images', { headers: { 'X-Test-Open': '`+gate.name+`' } });
			return response;
		};
		report([
			await callWithRetry(() => send({})),
			await attempt(() => callWithRetry(() => send({ 'X-Test-Status': '500' }))),
		]);`,
	).wantResult(t, `[{"ok": true}, {"error": "HTTP 500"}]`).wantLogs(t, 1, "Retrying in")
	running().wantStyled(t, 19)
}

func pageTrials() []trial {
	return []trial{
		{"C0 the passages that the checks assume are there", passages},
		{"C0 C12 the sample bodies have the shape of the gateway's", samples},
	}
}

// passages are the facts, not the sentences, that CONTRACTS.md reads on the
// pages.
func passages(t *testing.T, _ opener) {
	for page, facts := range map[string][]string{
		"headshotpro": {"| Standard | 300 |", "| Professional | 300 |", "| Enterprise | 1,000 |", "credits × 2", "/organization/invites/revoke", "sliding window"},
		"predictions": {"per API key", "| 60 |", "| 5 |", "| No limit |", "Retry-After", "creation until completion"},
		"shelfforce":  {"rolling 60-second", "Free56020", "Starter1012040", "Growth3030080", "Pro60600150", "Scale1501,200300", "/api/v1/analyses/batch", "1 rate limit slot"},
		"magnetite":   {"/projects/generate", "/generation/*/status, /leads/*/job-status", "10 requests/minute", "60 requests/minute", "Burst:5", "Burst:20", "X-RateLimit-Window: 60"},
		"outfit":      {"20 per day", "1 at a time", "midnight UTC", "/try_on_outfit", "/style_me", "/analyze_outfit", "/images/:id", "X-API-Key", "including /usage"},
	} {
		for _, fact := range facts {
			if !strings.Contains(seed(t, page), fact) {
				t.Errorf("%s no longer has %q", page, fact)
			}
		}
	}
}

// samples compares each sample body on the pages with the gateway's own.
func samples(t *testing.T, open opener) {
	t.Run("headshotpro", func(t *testing.T) { sampleHeadshotpro(t, open) })
	t.Run("predictions", func(t *testing.T) { samplePredictions(t, open) })
	t.Run("shelfforce", func(t *testing.T) { sampleShelfforce(t, open) })
	t.Run("magnetite", func(t *testing.T) { sampleMagnetite(t, open) })
	t.Run("outfit", func(t *testing.T) { sampleOutfit(t, open) })
}

// wantSample requires the body to have the shape of the page's nth object that
// begins so.
func (a *Answer) wantSample(t *testing.T, page, head string, nth int) {
	t.Helper()
	text := seed(t, page)
	for range nth {
		text = text[max(0, strings.Index(text, head)+1):]
	}
	sample := strings.TrimSpace(text[strings.Index(text, head):])
	depth := 0
	for i, c := range sample {
		if c == '{' {
			depth++
		}
		if c == '}' {
			depth--
		}
		if depth == 0 {
			sample = sample[:i+1]
			break
		}
	}
	want, err := shape([]byte(sample))
	if err != nil {
		t.Fatalf("C0: %s's sample: %v\n%s", page, err, sample)
	}
	if got, err := shape(a.Body); err != nil || got != want {
		t.Errorf("the body's shape is %s (%v), the sample's %s", got, err, want)
	}
}

func sampleHeadshotpro(t *testing.T, open opener) {
	g := open(t, "headshotpro", Subjects{"k": {"id": "o", "requests": 1, "credits": 0}})
	g.Send(t, invite("k", "x")).want(t, 429).wantSample(t, "headshotpro", "{\n\"success\"", 1)
	g.Send(t, organization("k")).want(t, 200)
	g.Send(t, organization("k")).want(t, 429).wantSample(t, "headshotpro", "{\n\"success\"", 0)
}

func samplePredictions(t *testing.T, open opener) {
	g := open(t, "predictions", Subjects{"k": account("u", "concurrent_predictions", 0)})
	g.Send(t, create("k", "x")).want(t, 429).wantSample(t, "predictions", "{\n\"error\"", 0)
}

func sampleShelfforce(t *testing.T, open opener) {
	g := open(t, "shelfforce", Subjects{"k": shop("u", "free", "analyses", 1)})
	g.Send(t, analysis("k")).want(t, 200)
	g.Send(t, analysis("k")).want(t, 429).wantSample(t, "shelfforce", "{\n  \"error\"", 0)
}

func sampleMagnetite(t *testing.T, open opener) {
	g := open(t, "magnetite", Subjects{"k": site("u", "generation_limit", 1)})
	g.Send(t, generate("k")).want(t, 200)
	g.Send(t, generate("k")).want(t, 429).wantSample(t, "magnetite", "{\n  \"success\"", 0)
}

func sampleOutfit(t *testing.T, open opener) {
	g := open(t, "outfit", Subjects{"k": wearer("u")})
	g.Send(t, get("k", "/usage")).want(t, 200).wantSample(t, "outfit", `{ "total_requests"`, 0)
	gate := g.Origin.Gate()
	running := g.Begin(t, style("k").at(gate))
	gate.Arrived(t, 1)
	g.Send(t, style("k")).want(t, 429).wantSample(t, "outfit", `{ "error"`, 1)
	gate.Open()
	running().wantStyled(t, 19)
	g.Times(t, 19, style("k"), 200)
	g.Send(t, style("k")).want(t, 429).wantSample(t, "outfit", `{ "error"`, 0)
}
