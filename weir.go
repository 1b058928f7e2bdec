// Package weir compiles Weir into Caddy: importing it registers both doors, the
// HTTP handler of caddymodule and the Envoy Rate Limit Service of envoyrls, and
// the command `caddy weir`.
//
//	xcaddy build --with github.com/weirhq/weir
package weir

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/weirhq/weir/caddymodule"
	_ "github.com/weirhq/weir/envoyrls"
	"github.com/weirhq/weir/envoyrls/bootstrap"
)

func init() {
	caddycmd.RegisterCommand(caddymodule.Command(bootstrap.Command()))
}
