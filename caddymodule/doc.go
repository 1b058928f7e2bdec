// Package caddymodule is the door through which Caddy uses Weir.
//
//   - An [App] holds a configuration's policies, its store and its directory.
//   - A [Handler] applies one policy to the requests that pass through it.
//   - A state is what outlives a configuration: the open store with its clock,
//     its secret and its metrics. It lives in a pool under the store's name, so
//     that a reload finds its counters again.
//   - A page is a policy with the contract of its answers and its metrics.
//   - A visit is one request's decision; its writer watches the response.
//
// The package only translates: what is decided is decided in core, and how it
// is told in core/contract.
package caddymodule
