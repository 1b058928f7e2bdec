package core

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Duration is a time.Duration that configurations write as text: "60s",
// "1h30m", "90d". As JSON it may also be a number of nanoseconds.
type Duration time.Duration

// ParseDuration reads Go's durations and, as its only unit, days: "90d".
func ParseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok && digits(days) {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n > 36500 {
			return 0, fmt.Errorf("%q is longer than a hundred years", Clip(s))
		}
		return Duration(n) * Duration(24*time.Hour), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 60s, 1m, 24h or 30d", Clip(s))
	}
	return Duration(d), nil
}

// Micro returns the duration in µs.
func (d Duration) Micro() int64 { return time.Duration(d).Microseconds() }

// String returns the shortest text that ParseDuration reads back.
func (d Duration) String() string {
	const day = Duration(24 * time.Hour)
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads a text, or a number of nanoseconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return json.Unmarshal(b, (*int64)(d))
	}
	parsed, err := ParseDuration(s)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
