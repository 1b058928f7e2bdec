package caddymodule

import (
	"errors"
	"fmt"
	"io"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/weirhq/weir/core"
	"github.com/weirhq/weir/core/directory"
)

func init() {
	caddy.RegisterModule(new(InlineDirectory))
	caddy.RegisterModule(new(FileDirectory))
	caddy.RegisterModule(new(HTTPDirectory))
}

// A directory's module is a core.Directory. The app closes it, if it is an
// io.Closer: requests may outlive their configuration.

// InlineDirectory resolves the credentials that the configuration itself lists.
type InlineDirectory struct {
	directory.InlineConfig

	*directory.Inline `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*InlineDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.directories.inline", New: func() caddy.Module { return new(InlineDirectory) }}
}

// UnmarshalJSON implements json.Unmarshaler: of mistakes it tells where they are.
func (d *InlineDirectory) UnmarshalJSON(data []byte) error {
	return core.DecodeConfig(data, &d.InlineConfig)
}

// Provision implements caddy.Provisioner.
func (d *InlineDirectory) Provision(caddy.Context) (err error) {
	d.Inline, err = directory.NewInline(d.InlineConfig)
	return err
}

// FileDirectory resolves the credentials in a JSON file, which is read again
// when it changes. The path may have global placeholders such as `{env.KEYS}`.
type FileDirectory struct {
	directory.FileConfig

	*directory.File `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*FileDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.directories.file", New: func() caddy.Module { return new(FileDirectory) }}
}

// UnmarshalJSON implements json.Unmarshaler: of mistakes it tells where they are.
func (d *FileDirectory) UnmarshalJSON(data []byte) error {
	return core.DecodeConfig(data, &d.FileConfig)
}

// Provision implements caddy.Provisioner.
func (d *FileDirectory) Provision(ctx caddy.Context) (err error) {
	config, logger := d.FileConfig, ctx.Logger()
	config.Path = caddy.NewReplacer().ReplaceKnown(config.Path, "")
	d.File, err = directory.NewFile(config, directory.FileOptions{
		OnLoad: func(credentials int) {
			logger.Info("read the directory again", zap.String("path", config.Path), zap.Int("credentials", credentials))
		},
		OnError: func(err error) {
			logger.Error("reading the directory again; what was read before stays", zap.String("path", config.Path), zap.Error(err))
		},
	})
	return err
}

// HTTPDirectory resolves credentials by asking a service, and remembers what it
// answers. The URL and the headers may have global placeholders such as
// `{env.TOKEN}`.
type HTTPDirectory struct {
	directory.HTTPConfig

	*directory.HTTP `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*HTTPDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "weir.directories.http", New: func() caddy.Module { return new(HTTPDirectory) }}
}

// UnmarshalJSON implements json.Unmarshaler: of mistakes it tells where they are.
func (d *HTTPDirectory) UnmarshalJSON(data []byte) error {
	return core.DecodeConfig(data, &d.HTTPConfig)
}

// Provision implements caddy.Provisioner.
func (d *HTTPDirectory) Provision(ctx caddy.Context) (err error) {
	config, repl, logger := d.HTTPConfig, caddy.NewReplacer(), Sampled(ctx.Logger())
	config.URL = repl.ReplaceKnown(config.URL, "")
	config.Headers = make(map[string]string, len(d.Headers))
	for name, value := range d.Headers {
		if config.Headers[name], err = repl.ReplaceOrErr(value, true, true); err != nil {
			return errors.New("headers: the value of " + name + " has a placeholder that is unknown or empty")
		}
	}
	d.HTTP, err = directory.NewHTTP(config, directory.HTTPOptions{
		OnError: func(err error) { logger.Error("looking up a credential", zap.Error(err)) },
	})
	if err != nil {
		return fmt.Errorf("directory http: %w", err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner = (*InlineDirectory)(nil)
	_ caddy.Provisioner = (*FileDirectory)(nil)
	_ caddy.Provisioner = (*HTTPDirectory)(nil)
	_ core.Directory    = (*InlineDirectory)(nil)
	_ io.Closer         = (*FileDirectory)(nil)
	_ io.Closer         = (*HTTPDirectory)(nil)
	_ core.Directory    = (*FileDirectory)(nil)
	_ core.Directory    = (*HTTPDirectory)(nil)
)
