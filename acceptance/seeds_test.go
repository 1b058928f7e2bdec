package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// seed is the page's text, which stands beside the repository.
func seed(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shared(t), "seeds", page+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// snippet cuts the code that begins with head out of the page, up to the end
// of its block.
func snippet(t *testing.T, page, head string) string {
	t.Helper()
	text := seed(t, page)
	start := strings.Index(text, head)
	if start < 0 {
		t.Fatalf("C0: %s has no %q", page, head)
	}
	depth := 0
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[start : i+1]
			}
		}
	}
	t.Fatalf("C0: %q of %s has no end", head, page)
	return ""
}

var (
	typeParameter = regexp.MustCompile(`(function \w+)<\w+>`)
	returnType    = regexp.MustCompile(`\): Promise<\w+> \{`)
	parameterType = regexp.MustCompile(`(\w+): (?:\(\) => )?[A-Za-z]\w*(?:<\w+>)?([,)])`)
)

// untyped takes the types out of a TypeScript function's first line.
func untyped(code string) string {
	head, rest, _ := strings.Cut(code, "{")
	head = typeParameter.ReplaceAllString(head+"{", "$1")
	head = returnType.ReplaceAllString(head, ") {")
	return parameterType.ReplaceAllString(head, "$1$2") + rest
}

// lines of Python that begin with these words are so many steps in: the page
// has lost its line breaks, but not the order of its statements.
var pythonLines = []struct {
	words string
	steps int
}{
	{"for ", 1},
	{"try:", 2},
	{"return ", 3},
	{"except ", 2},
	{"if ", 3},
	{"retry_after = ", 4},
	{"print(", 4},
	{"time.sleep(", 4},
	{"else:", 3},
	{"raise ", 4},
	{"raise ", 1},
}

// pythonFunction cuts the page's Python function out and gives it its lines.
func pythonFunction(t *testing.T, page, head, end string) string {
	t.Helper()
	_, text, found := strings.Cut(seed(t, page), head)
	text, _, ended := strings.Cut(text, end)
	if !found || !ended {
		t.Fatalf("C0: %s has no %q", page, head)
	}
	var b strings.Builder
	b.WriteString(head)
	for _, line := range pythonLines {
		before, after, found := strings.Cut(text, line.words)
		if !found {
			t.Fatalf("C0: %q of %s has no %q after %q", head, page, line.words, b.String())
		}
		b.WriteString(before + "\n" + strings.Repeat("    ", line.steps) + line.words)
		text = after
	}
	return b.String() + text + "\n"
}

// outcome is what a script reported.
type outcome struct {
	Logs     []string
	Warnings []string
	Result   json.RawMessage
}

// node runs JavaScript against the gateway with this key.
func (g *Gateway) node(t *testing.T, key, code string) outcome {
	t.Helper()
	prelude, err := os.ReadFile(filepath.Join("testdata", "prelude.js"))
	if err != nil {
		t.Fatal(err)
	}
	return g.script(t, key, "node", "script.mjs", string(prelude)+code)
}

// python runs Python against the gateway with this key; its requests is ours.
func (g *Gateway) python(t *testing.T, key, code string) outcome {
	t.Helper()
	return g.script(t, key, "python3", "script.py", code)
}

func (g *Gateway) script(t *testing.T, key, interpreter, name, code string) outcome {
	t.Helper()
	if _, err := exec.LookPath(interpreter); err != nil {
		absent(t, "%s, which runs the pages' clients: %v", interpreter, err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	header, _ := g.credential(key)
	cmd := exec.Command(interpreter, path)
	cmd.Env = append(os.Environ(), "BASE_URL="+g.entrance(t), "KEY="+key, "CREDENTIAL="+header,
		"PYTHONPATH="+filepath.Join(root(), "acceptance", "testdata", "python"), "PYTHONDONTWRITEBYTECODE=1")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	text, err := cmd.Output()
	var o outcome
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s%s\n%s", interpreter, err, text, complaints.String(), code)
	}
	return o
}

// wantResult requires what the script reported to be this JSON.
func (o outcome) wantResult(t *testing.T, want string) outcome {
	t.Helper()
	if err := sameJSON(o.Result, []byte(want)); err != nil {
		t.Errorf("the client reports %s, want %s (logs %q)", o.Result, want, o.Logs)
	}
	return o
}

// wantLogs requires so many lines, each with the words.
func (o outcome) wantLogs(t *testing.T, lines int, words string) {
	t.Helper()
	if len(o.Logs) != lines {
		t.Errorf("the client logs %q, want %d lines", o.Logs, lines)
	}
	for _, line := range o.Logs {
		if !strings.Contains(line, words) {
			t.Errorf("the client logs %q, want %q", line, words)
		}
	}
}
