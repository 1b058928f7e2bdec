package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirhq/weir/core"
)

func init() {
	caddy.RegisterModule(new(Admin))
}

// Admin is Weir's part of Caddy's admin API: what origins say in headers, for
// work that ends outside any request, and how subjects stand. No answer shows a
// key.
//
// Request | Body
// --------|-----
// `GET /weir/policies` |
// `GET /weir/policies/POLICY/subjects/ID` |
// `POST /weir/policies/POLICY/subjects/ID/release` | `{"leases": ["ID", …]}`
// `POST /weir/policies/POLICY/subjects/ID/heartbeat` | `{"leases": ["ID", …]}`
// `POST /weir/policies/POLICY/subjects/ID/settle` | `{"id": "ID", "cost": 0.042, "limits": ["NAME", …]}`
// `POST /weir/policies/POLICY/subjects/ID/set` | `{"attributes": {"NAME": VALUE, …}}`
// `POST /weir/policies/POLICY/subjects/ID/reset` | `{"limits": ["NAME", …]}`
// `POST /weir/policies/POLICY/keys/ACTION` | `{"key": "KEY", …}`, as above, and `usage`
//
// A cost is settled once for each id within a day: that of the request, as
// `{weir.id}` gives it, or any other text. Limits that count per key need the
// key; it is in the body, for Caddy logs the URLs of its admin API.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.weir", New: func() caddy.Module { return new(Admin) }}
}

// Routes implements caddy.AdminRouter.
func (a *Admin) Routes() []caddy.AdminRoute {
	route := func(pattern string, h caddy.AdminHandlerFunc) caddy.AdminRoute {
		return caddy.AdminRoute{Pattern: pattern, Handler: h}
	}
	return []caddy.AdminRoute{
		route("/weir/", unknownPath),
		route("/weir/policies", listPolicies),
		route("/weir/policies/{policy}/subjects/{subject}", subjectUsage),
		route("/weir/policies/{policy}/subjects/{subject}/{action}", amendSubject),
		route("/weir/policies/{policy}/keys/{action}", amendKey),
	}
}

// maxAdminBody in bytes is how large a body may be.
const maxAdminBody = 64 << 10

// apiError returns the error that the admin API answers with.
func apiError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

func unknownPath(_ http.ResponseWriter, r *http.Request) error {
	return apiError(http.StatusNotFound, "there is nothing at %s", r.URL.Path)
}

// allow checks the request's method.
func allow(w http.ResponseWriter, r *http.Request, method string) error {
	if r.Method == method {
		return nil
	}
	w.Header().Set("Allow", method)
	return apiError(http.StatusMethodNotAllowed, "method %s is not allowed here; use %s", r.Method, method)
}

// activeApp returns the app of the running configuration: the admin API is
// there before the apps are.
func activeApp() (*App, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("weir")
	if err != nil {
		return nil, apiError(http.StatusServiceUnavailable, "the running configuration does not use weir")
	}
	return app.(*App), nil
}

// activePage returns the app and the page that the request names.
func activePage(r *http.Request) (*App, *page, error) {
	app, err := activeApp()
	if err != nil {
		return nil, nil, err
	}
	name := r.PathValue("policy")
	app.mu.Lock()
	defer app.mu.Unlock()
	if pg := app.pages[name]; pg != nil {
		return app, pg, nil
	}
	return nil, nil, apiError(http.StatusNotFound, "there is no policy %q%s", name, core.DidYouMean(name, sortedNames(app.pages)))
}

// readJSON reads the body into v.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return apiError(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case err == nil && len(bytes.TrimSpace(data)) == 0:
		return apiError(http.StatusBadRequest, "the body is missing")
	case err == nil:
		err = json.Unmarshal(data, new(json.RawMessage))
	}
	if err == nil {
		err = core.DecodeConfig(data, v)
	}
	if err != nil {
		return apiError(http.StatusBadRequest, "the body is not as expected: %w", err)
	}
	return nil
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(v)
}

// Interface guards
var (
	_ caddy.Module      = (*Admin)(nil)
	_ caddy.AdminRouter = (*Admin)(nil)
)
