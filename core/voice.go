package core

// The origin's response headers, in canonical form.
const (
	HeaderCost    = "Weir-Cost"
	HeaderLease   = "Weir-Lease"
	HeaderRelease = "Weir-Release"
	HeaderSet     = "Weir-Set"
	// HeaderPrefix starts every header that speaks to Weir: taken from origins,
	// dropped from clients.
	HeaderPrefix = "Weir-"
)

// A Voice is what the origin said in one response.
type Voice struct {
	HasCost        bool
	Cost           int64 // millionths
	Lease, Release []string
	Set            Attributes
	// Invalid counts the values that could not be read.
	Invalid int
}

// ParseVoice reads the values of the origin's headers; each may occur several
// times and hold a comma-separated list. What cannot be read is left out and
// counted in Invalid.
func ParseVoice(cost, lease, release, set []string) Voice { return Voice{} }
