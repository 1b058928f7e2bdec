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

const (
	day = Duration(24 * time.Hour)
	// longest is what a Duration may be, or be below 0.
	longest = 36_500 * day
)

// ParseDuration reads Go's durations and, as its only unit, days: "90d"; a hundred
// years at most.
func ParseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok && digits(days) {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n > int64(longest/day) {
			return 0, tooLong(s)
		}
		return Duration(n) * day, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 60s, 1m, 24h or 30d", Clip(s))
	}
	if !Duration(d).bounded() {
		return 0, tooLong(s)
	}
	return Duration(d), nil
}

func (d Duration) bounded() bool { return -longest <= d && d <= longest }

func tooLong(s string) error { return fmt.Errorf("%q is longer than a hundred years", Clip(s)) }

// Micro returns the duration in µs.
func (d Duration) Micro() int64 { return time.Duration(d).Microseconds() }

// String returns the shortest text that ParseDuration reads back.
func (d Duration) String() string {
	if d > 0 && d%day == 0 {
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
		if err := json.Unmarshal(b, (*int64)(d)); err != nil || d.bounded() {
			return err
		}
		return tooLong(string(b))
	}
	parsed, err := ParseDuration(s)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
