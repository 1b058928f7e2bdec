package compat

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weirhq/weir/core"
)

const (
	// maxRepeats bounds what aliases make of a file: how many values there are
	// for each that it has.
	maxRepeats = 10
	// maxDepth is how many levels deep a file may be, aliases followed.
	maxDepth = 64
)

// their are the keys that envoyproxy/ratelimit takes at any level, and heeds at
// the one where they belong.
var their = []string{
	"domain", "key", "value", "descriptors", "rate_limit", "unit", "requests_per_unit", "unlimited",
	"shadow_mode", "quota_mode", "name", "replaces", "detailed_metric", "value_to_metric",
	"share_threshold", "metadata",
}

// A reader reads one file. After a mistake it goes on, and tells all.
type reader struct {
	*mistakes
	file   string
	nodes  int // so far, aliases followed
	most   int
	depth  int
	beyond bool // most or maxDepth
}

// A node is one of YAML's, with aliases followed.
type node struct{ *yaml.Node }

// A key is one that a mapping may have, and what reads its value.
type key struct {
	name string
	read func(*node)
}

func (n *node) isNull() bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func (r *reader) place(n *node) place { return place{r.file, n.Line} }

// root returns the file's mapping, nil where it has none.
func (r *reader) root(text []byte) *node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		r.errorf(place{r.file, 0}, "config file cannot have empty domain")
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	r.rest(decoder)
	if len(document.Content) == 0 {
		return nil
	}
	r.most = maxRepeats * (nodesOf(&document) + 100)
	return r.enter(document.Content[0])
}

// rest reads what follows the file's first document. envoyproxy/ratelimit
// overlooks it.
func (r *reader) rest(decoder *yaml.Decoder) {
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			r.syntax(err)
			return
		}
		if len(document.Content) > 0 && !(&node{document.Content[0]}).isNull() {
			r.warnf(place{r.file, document.Content[0].Line}, "a document after the first has no effect")
		}
	}
}

// nodesOf returns how many nodes n has, aliases not followed.
func nodesOf(n *yaml.Node) int {
	sum := 1
	for _, c := range n.Content {
		sum += nodesOf(c)
	}
	return sum
}

// syntax records why a file is no YAML.
func (r *reader) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	at := place{r.file, 0}
	if rest, found := strings.CutPrefix(text, "line "); found {
		if number, message, found := strings.Cut(rest, ": "); found {
			if line, err := strconv.Atoi(number); err == nil {
				at.line, text = line, message
			}
		}
	}
	r.errorf(at, "error loading config file: %s", text)
}

// enter returns n, or what it is an alias of; nil where the file means too much.
func (r *reader) enter(n *yaml.Node) *node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if r.nodes++; r.nodes > r.most || r.depth > maxDepth {
		if !r.beyond {
			r.errorf(place{r.file, n.Line}, "there is too much here: at most %d levels, and of aliases %d times what is written", maxDepth, maxRepeats)
		}
		r.beyond = true
		return nil
	}
	return &node{n}
}

// mapping has the values of n read by their keys. what names n.
func (r *reader) mapping(n *node, what string, keys []key) {
	if n.Kind != yaml.MappingNode {
		if !n.isNull() {
			r.errorf(r.place(n), "expected %s: keys with values, not %q", what, core.Clip(n.Value))
		}
		return
	}
	r.depth++
	defer func() { r.depth-- }()
	r.pairs(n, make(map[string]bool), func(name string, at place, value *node) {
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		switch {
		case i >= 0:
			keys[i].read(value)
		case slices.Contains(their, name):
			r.warnf(at, "%q has no effect in %s", name, what)
		default:
			r.errorf(at, "config error, unknown key '%s'%s", core.Clip(name), core.DidYouMean(name, names(keys)))
		}
	})
}

// pairs calls each for the keys of a mapping, and then for those that it merges
// (`<<`) and does not have itself. seen are the keys so far.
func (r *reader) pairs(n *node, seen map[string]bool, each func(name string, at place, value *node)) {
	var merged []*yaml.Node
	own := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := place{r.file, k.Line}
		switch {
		case k.ShortTag() == "!!merge":
			merged = append(merged, v)
			continue
		case k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str":
			r.errorf(at, "config error, key is not of type string: %s", core.Clip(k.Value))
			continue
		case own[k.Value]:
			r.errorf(at, "%q is repeated", core.Clip(k.Value))
			continue
		}
		own[k.Value] = true
		if value := r.enter(v); value != nil && !seen[k.Value] {
			seen[k.Value] = true
			each(k.Value, at, value)
		}
	}
	for _, v := range merged {
		r.merge(v, seen, each)
	}
}

// merge is pairs for what a mapping merges: a mapping, or a list of some.
func (r *reader) merge(v *yaml.Node, seen map[string]bool, each func(string, place, *node)) {
	n := r.enter(v)
	if n == nil {
		return
	}
	r.depth++
	defer func() { r.depth-- }()
	switch n.Kind {
	case yaml.MappingNode:
		r.pairs(n, seen, each)
	case yaml.SequenceNode:
		for _, one := range n.Content {
			r.merge(one, seen, each)
		}
	default:
		r.errorf(r.place(n), "expected a mapping to merge, not %q", core.Clip(n.Value))
	}
}

func names(keys []key) (all []string) {
	for _, k := range keys {
		all = append(all, k.name)
	}
	return all
}

// list returns what has the elements of a list read. null is none.
func (r *reader) list(element func(*node)) func(*node) {
	return func(n *node) {
		if n.isNull() {
			return
		}
		if n.Kind != yaml.SequenceNode {
			r.errorf(r.place(n), "expected a list")
			return
		}
		r.depth++
		defer func() { r.depth-- }()
		for _, item := range n.Content {
			one := r.enter(item)
			switch {
			case one == nil:
			case one.Kind != yaml.MappingNode:
				r.errorf(r.place(one), "config error, yaml file contains list of type other than map: %s", core.Clip(one.Value))
			default:
				element(one)
			}
		}
	}
}
