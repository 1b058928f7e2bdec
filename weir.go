// Package weir compiles Weir into Caddy: importing it registers both doors, the
// HTTP handler of caddymodule and the Envoy Rate Limit Service of envoyrls.
//
//	xcaddy build --with github.com/weirhq/weir
package weir

import (
	_ "github.com/weirhq/weir/caddymodule"
	_ "github.com/weirhq/weir/envoyrls"
)
