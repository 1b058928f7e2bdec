package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/weirhq/weir/caddymodule"
	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/envoyrls"
	"github.com/weirhq/weir/envoyrls/bootstrap"
	"github.com/weirhq/weir/envoyrls/compat"
)

// root of the repository, from this directory.
const root = ".."

// A page is one Markdown file.
type page struct {
	path  string // from root
	lines []string
}

// A fence is a fenced code block.
type fence struct {
	page string
	line int    // of its first line of text, from 1
	info string // behind the backticks
	text string
}

func (f *fence) String() string { return fmt.Sprintf("%s:%d", f.page, f.line) }

// pages returns the manual, and the READMEs that go with it.
func pages(t *testing.T) []page {
	t.Helper()
	paths := []string{"README.md", "SECURITY.md"}
	walk := func(dir string, want func(name string) bool) {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && want(d.Name()) {
				relative, _ := filepath.Rel(root, path)
				paths = append(paths, filepath.ToSlash(relative))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	walk("docs", func(name string) bool { return strings.HasSuffix(name, ".md") })
	walk("examples", func(name string) bool { return name == "README.md" })
	if len(paths) < 10 {
		t.Fatalf("only %d pages: %v", len(paths), paths)
	}
	all := make([]page, len(paths))
	for i, path := range paths {
		all[i] = page{path, strings.Split(read(t, path), "\n")}
	}
	return all
}

// read returns the text of a file, whose path is from root.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fences returns a page's code blocks, and the page's text without them.
func (p *page) fences(t *testing.T) (all []fence, prose []string) {
	t.Helper()
	var open *fence
	for i, line := range p.lines {
		info, isFence := strings.CutPrefix(line, "```")
		switch {
		case open == nil && isFence:
			open = &fence{page: p.path, line: i + 2, info: strings.TrimSpace(info)}
		case open == nil:
			prose = append(prose, line)
		case isFence:
			all = append(all, *open)
			open = nil
		default:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s: the code block is never closed", open)
	}
	return all, prose
}

// TestCaddyfiles adapts and provisions every Caddyfile of the manual.
func TestCaddyfiles(t *testing.T) {
	all := pages(t)
	inTempDir(t)
	n := 0
	for i := range all {
		fences, _ := all[i].fences(t)
		for _, f := range fences {
			language, marker, _ := strings.Cut(f.info, " ")
			if language != "caddyfile" {
				continue
			}
			n++
			t.Run(f.String(), func(t *testing.T) {
				if formatted := string(caddyfile.Format([]byte(f.text))); formatted != f.text {
					t.Errorf("not as `caddy fmt` writes it:\n%s", formatted)
				}
				whole, err := wrap(marker, f.text)
				if err != nil {
					t.Fatal(err)
				}
				config, err := adapt(whole)
				if err == nil {
					err = validate(config)
				}
				if err != nil {
					t.Errorf("%v\nin\n%s", err, whole)
				}
			})
		}
	}
	if n < 20 {
		t.Errorf("only %d Caddyfiles found", n)
	}
}

// TestJSON parses every JSON text of the manual, and provisions those that are
// configurations.
func TestJSON(t *testing.T) {
	all := pages(t)
	inTempDir(t)
	for i := range all {
		fences, _ := all[i].fences(t)
		for _, f := range fences {
			language, marker, _ := strings.Cut(f.info, " ")
			if language != "json" {
				continue
			}
			t.Run(f.String(), func(t *testing.T) {
				var v any
				err := json.Unmarshal([]byte(f.text), &v)
				if err == nil && marker == "config" {
					err = validate([]byte(f.text))
				} else if err == nil && marker != "" {
					err = fmt.Errorf("unknown marker %q", marker)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestCommands runs the commands `caddy weir envoy` of the page about Envoy, on
// its first Caddyfile.
func TestCommands(t *testing.T) {
	all := pages(t)
	inTempDir(t)
	n := 0
	for i := range all {
		if all[i].path != "docs/envoy.md" {
			continue
		}
		fences, _ := all[i].fences(t)
		for _, f := range fences {
			if f.info == "caddyfile" && n == 0 {
				n++
				if err := os.WriteFile("Caddyfile", []byte(f.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for line := range strings.Lines(f.text) {
				if args, ok := strings.CutPrefix(line, "caddy weir envoy "); ok && f.info == "sh" {
					n++
					args, _, _ = strings.Cut(args, ">")
					c := bootstrap.Command()
					c.SetOut(io.Discard)
					c.SetArgs(strings.Fields(args))
					if err := c.Execute(); err != nil {
						t.Errorf("%s: %v", f.String(), err)
					}
				}
			}
		}
	}
	if n < 3 {
		t.Errorf("%d commands found", n)
	}
}

// inTempDir makes a directory of nothing but a file of subjects, and an empty
// directory of rate limits, the current one, and Caddy's.
func inTempDir(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	if err := os.WriteFile(filepath.Join(dir, "subjects.json"), []byte(`{"subjects": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
}

// TestRateLimits compiles every file of envoyproxy/ratelimit's in the manual.
func TestRateLimits(t *testing.T) {
	all := pages(t)
	n := 0
	for i := range all {
		fences, _ := all[i].fences(t)
		for _, f := range fences {
			if f.info != "yaml ratelimit" {
				continue
			}
			n++
			c, err := compat.Compile([]compat.File{{Name: f.String(), Text: []byte(f.text)}}, false)
			if err != nil || len(c.Warnings) > 0 {
				t.Errorf("%v, %v", err, c.Warnings)
			}
		}
	}
	if n < 2 {
		t.Errorf("only %d files found", n)
	}
}

// wrap makes a whole Caddyfile of a part: the marker says of what.
func wrap(marker, text string) (string, error) {
	switch marker {
	case "":
		return text, nil
	case "site":
		return ":8080 {\n" + text + "}\n", nil
	case "door": // whose files are Weir's
		return wrap("global", regexp.MustCompile(`(?m)^\ttls [^}]*\}\n`).ReplaceAllString(text, ""))
	case "global":
		return "{\nweir {\n" + text + "}\n}\n", nil
	case "policy":
		if !has(text, "subject") {
			text = "subject {header.X-API-Key}\n" + text
		}
		return wrap("global", "policy fragment {\n"+text+"}\n")
	case "limit":
		if !has(text, "rolling", "fixed", "calendar", "bucket", "hold") {
			text += "rolling 1m\n"
		}
		if !has(text, "max") && !strings.Contains(text, " burst ") {
			text += "max 10\n"
		}
		const plans = "plans requests jobs spending credits rate {\ndefault 60 5 100 10 10\n}\n"
		const others = "limit reads {\nmatch GET *\nrolling 1m\nmax 10\n}\nlimit jobs {\nmatch POST /jobs\nrolling 1m\nmax 10\n}\n"
		return wrap("policy", plans+others+"limit fragment {\n"+text+"}\n")
	}
	return "", fmt.Errorf("unknown marker %q", marker)
}

// has reports whether a line of text begins with one of the words.
func has(text string, words ...string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		word, _, _ := strings.Cut(line, " ")
		if slices.Contains(words, word) {
			return true
		}
	}
	return false
}

// adapt returns the JSON of a Caddyfile. Warnings count as errors.
func adapt(text string) ([]byte, error) {
	adapter := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}
	text = string(caddyfile.Format([]byte(text)))
	config, warnings, err := adapter.Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err == nil && len(warnings) > 0 {
		err = fmt.Errorf("%v", warnings)
	}
	return config, err
}

// validate provisions a configuration, as `caddy validate` does.
func validate(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var config caddy.Config
	if err := decoder.Decode(&config); err != nil {
		return err
	}
	if config.Logging == nil {
		config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
			"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output":"discard"}`)}},
		}}
	}
	return caddy.Validate(&config)
}

var (
	linkForm    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingForm = regexp.MustCompile(`^#{1,6} (.+)$`)
	codeForm    = regexp.MustCompile("`[^`]*`")
)

// TestLinks follows the links to files and headings of the repository.
func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := make(map[string][]string)
	for i := range all {
		anchors[all[i].path] = all[i].anchors(t)
	}
	for i := range all {
		p := &all[i]
		_, prose := p.fences(t)
		for _, line := range prose {
			for _, link := range linkForm.FindAllStringSubmatch(codeForm.ReplaceAllString(line, ""), -1) {
				if err := follow(p.path, link[1], anchors); err != nil {
					t.Errorf("%s: %v", p.path, err)
				}
			}
		}
	}
}

// follow follows a link of the page at from.
func follow(from, link string, anchors map[string][]string) error {
	if strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://") {
		return nil
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = filepath.ToSlash(filepath.Join(filepath.Dir(from), file))
	}
	if _, err := os.Stat(filepath.Join(root, target)); err != nil {
		return fmt.Errorf("dead link %s", link)
	}
	if anchor != "" && !slices.Contains(anchors[target], anchor) {
		return fmt.Errorf("%s: there is no heading for %s; there are %v", link, anchor, anchors[target])
	}
	return nil
}

var notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors returns the names of a page's headings, as GitHub makes them.
func (p *page) anchors(t *testing.T) (names []string) {
	t.Helper()
	_, prose := p.fences(t)
	for _, line := range prose {
		if m := headingForm.FindStringSubmatch(line); m != nil {
			name := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

// TestDirectives looks for directives of the Caddyfile that the reference
// forgets.
func TestDirectives(t *testing.T) {
	names := literals(t, regexp.MustCompile(`(?m)^\t(?:\{|http[A-Z][a-z]+\()"([a-z_]+)", `), "caddymodule/caddyfile*.go")
	if len(names) < 40 {
		t.Fatalf("only %d directives: %v", len(names), names)
	}
	names = append(names, "inline", "file", "http", "memory")
	mentioned(t, "docs/configuration.md", names)
}

// TestMetrics looks for metrics and log fields that the manual forgets.
func TestMetrics(t *testing.T) {
	names := literals(t, regexp.MustCompile(`"(weir_[a-z_]+|weir\.denied)"`), "caddymodule/*.go")
	if len(names) < 12 {
		t.Fatalf("only %d metrics: %v", len(names), names)
	}
	for o := core.Passed; o <= core.Withheld; o++ {
		names = append(names, o.String())
	}
	mentioned(t, "docs/metrics.md", names)
}

// TestFields looks for fields of the JSON configuration that the reference
// forgets.
func TestFields(t *testing.T) {
	names := make(map[string]bool)
	for _, typ := range []reflect.Type{
		reflect.TypeFor[caddymodule.App](), reflect.TypeFor[envoyrls.Door](), reflect.TypeFor[caddymodule.Handler](),
		reflect.TypeFor[caddymodule.MemoryStore](), reflect.TypeFor[caddymodule.FileDirectory](),
		reflect.TypeFor[caddymodule.InlineDirectory](), reflect.TypeFor[caddymodule.HTTPDirectory](),
	} {
		fields(typ, names)
	}
	var list []string
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	if len(list) < 50 {
		t.Fatalf("only %d fields: %v", len(list), list)
	}
	mentioned(t, "docs/configuration.md", list)
}

// fields gathers the names of a type's JSON fields, and of what they hold.
func fields(typ reflect.Type, names map[string]bool) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		fields(typ.Elem(), names)
	case reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-":
			case f.Anonymous:
				fields(f.Type, names)
			case f.IsExported() && name != "":
				names[name] = true
				fields(f.Type, names)
			}
		}
	}
}

// literals returns what the pattern's group finds in the files, once each.
func literals(t *testing.T, pattern *regexp.Regexp, globs ...string) (found []string) {
	t.Helper()
	for _, glob := range globs {
		files, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", glob, files, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range pattern.FindAllSubmatch(text, -1) {
				found = append(found, string(m[1]))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

var spanForm = regexp.MustCompile("(?m)`[^`\n]+`|^```(?s:.*?)^```")

// mentioned checks that a page has each name in code, a span or a block.
func mentioned(t *testing.T, path string, names []string) {
	t.Helper()
	code := strings.Join(spanForm.FindAllString(read(t, path), -1), "\n")
	for _, name := range names {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(code) {
			t.Errorf("%s does not mention `%s`", path, name)
		}
	}
}
