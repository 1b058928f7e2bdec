package directory_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/directory"
)

// secret stands for a credential in tests: no error may hold it.
const secret = "sk_live_51f0c2"

func inline(t testing.TB, text string) *directory.Inline {
	t.Helper()
	var c directory.InlineConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	d, err := directory.NewInline(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const everything = `{"subjects":{
	"` + secret + `": {"id":"org_1","plan":"pro","credits":10,"price":0.042,"seats":"unlimited","team":"a b","beta":true,"none":null},
	"another": {"id":7}
}}`

func TestInline(t *testing.T) {
	d := inline(t, everything)
	s, err := d.Lookup(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "org_1" || s.Plan != "pro" {
		t.Errorf("the subject is %+v", s)
	}
	for name, want := range map[string]core.Value{
		"credits": core.Number(10), "price": core.ParseValue("0.042"), "seats": core.UnlimitedValue(),
		"team": core.Text("a b"), "beta": core.Text("true"), "none": {}, "id": {},
	} {
		if v := s.Attributes.Get(name); v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	if s, err = d.Lookup(t.Context(), "another"); err != nil || s.ID != "7" || s.Plan != "" {
		t.Errorf("the subject is %+v, %v", s, err)
	}
	if d.Len() != 2 {
		t.Errorf("%d credentials", d.Len())
	}
}

// hostile are credentials that nobody has.
var hostile = map[string]string{
	"empty": "", "line break": secret + "\r\nX-Admin: 1", "leading": "\n" + secret, "prefix": secret[:5],
	"space": secret + " ", "nul": secret + "\x00", "huge": strings.Repeat("k", 10<<20), "not UTF-8": "\xff\xfe",
}

func TestHostileCredentialsAreUnknown(t *testing.T) {
	d := inline(t, everything)
	for name, credential := range hostile {
		if _, err := d.Lookup(t.Context(), credential); !errors.Is(err, core.ErrUnknownCredential) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInlineConfigSurvivesJSON(t *testing.T) {
	var c, again directory.InlineConfig
	if err := json.Unmarshal([]byte(everything), &c); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	twice, _ := json.Marshal(again)
	want := `{"subjects":{"another":{"id":"7"},"` + secret + `":{"id":"org_1","plan":"pro","credits":10,` +
		`"price":0.042,"seats":"unlimited","team":"a b","beta":"true"}}}`
	if string(text) != want || string(twice) != want {
		t.Errorf("%s\n%s\nwant %s", text, twice, want)
	}
}

func TestInlineMistakes(t *testing.T) {
	_, err := directory.NewInline(directory.InlineConfig{Subjects: directory.Subjects{
		secret: {}, "b": {ID: "org_2", Attributes: core.Attributes{{Name: "a b", Value: core.Number(1)}}}, "": {ID: "org_3"},
	}})
	if n := len(core.ConfigErrors(err)); n != 3 {
		t.Errorf("%d mistakes: %v", n, err)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error tells the credential: %v", err)
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	d := inline(t, everything)
	ctx := t.Context()
	for _, credential := range []string{secret, "unknown"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = d.Lookup(ctx, credential) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
