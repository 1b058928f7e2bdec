package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core"
)

func init() {
	caddy.RegisterModule(new(FileDirectory))
	caddy.RegisterModule(new(InlineDirectory))
	caddy.RegisterModule(new(HTTPDirectory))
}

// FileDirectory resolves credentials by a JSON file, which is read again when
// it changes.
type FileDirectory struct {
	// Path of the file.
	Path string `json:"path"`
}

// InlineDirectory resolves the credentials that the configuration lists.
type InlineDirectory struct {
	// Subjects by credential: `id`, `plan`, and attributes.
	Subjects map[string]map[string]core.Value `json:"subjects"`
}

// HTTPDirectory resolves credentials by asking a server, and remembers what it
// says.
type HTTPDirectory struct {
	// URL that is asked.
	URL string `json:"url"`
	// Header that carries the credential.
	Header string `json:"header,omitempty"`
	// TTL of an answer.
	TTL core.Duration `json:"ttl,omitempty"`
	// NegativeTTL of the answer that a credential is unknown.
	NegativeTTL core.Duration `json:"negative_ttl,omitempty"`
	// Stale is how much longer an answer serves while the server fails.
	Stale core.Duration `json:"stale,omitempty"`
	// Timeout of a question.
	Timeout core.Duration `json:"timeout,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*FileDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.directories.file", New: func() caddy.Module { return new(FileDirectory) }}
}

// CaddyModule returns the Caddy module information.
func (*InlineDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.directories.inline", New: func() caddy.Module { return new(InlineDirectory) }}
}

// CaddyModule returns the Caddy module information.
func (*HTTPDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.directories.http", New: func() caddy.Module { return new(HTTPDirectory) }}
}
