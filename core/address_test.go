package core

import "testing"

// TestAttackAddressesAndHosts: of one client, and of one host, all spellings are one
// scope; neighbours are not.
func TestAttackAddressesAndHosts(t *testing.T) {
	for _, text := range []string{"{client_ip}", "{http.request.remote.host}"} {
		ref, err := ParseRef(text)
		if err != nil {
			t.Fatal(err)
		}
		scope := func(address string) string {
			return string(appendScopeValue(nil, &ref, &Request{Source: told(address)}))
		}
		for a, b := range map[string]string{
			"2001:db8:1:2::1": "2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8::1": "2001:0db8:0000:0000::2",
			"192.0.2.1": "::ffff:192.0.2.1", "::ffff:c000:201": "192.0.2.1", "fe80::1": "fe80::2%eth0",
		} {
			if scope(a) != scope(b) {
				t.Errorf("%s: %s and %s are two", text, a, b)
			}
		}
		for a, b := range map[string]string{
			"2001:db8:1:2::1": "2001:db8:1:3::1", "192.0.2.1": "192.0.2.2", "0.0.0.0": "::", "nonsense": "", "192.0.2.1 ": "192.0.2.1",
		} {
			if scope(a) == scope(b) {
				t.Errorf("%s: %s and %s are one", text, a, b)
			}
		}
	}
	for _, host := range []string{"api.example", "API.example", "api.example:443", "api.example.", "Api.Example.:80"} {
		if got := HostOf(host); got != "api.example" {
			t.Errorf("%s: the host is %q", host, got)
		}
	}
}

// told is a Source whose attributes are all the same.
type told string

func (s told) Attribute(*Ref) (string, bool)      { return string(s), true }
func (told) Several(*Ref) bool                    { return false }
func (s told) All(*Ref) []string                  { return []string{string(s)} }
func (told) Body(int64) (all [][]byte, err error) { return nil, ErrNoBody }
