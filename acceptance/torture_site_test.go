package acceptance

import (
	"strconv"
	"strings"
)

// The maxima and lengths of tortureSite that the record is checked against.
const (
	tortureQuota  = 400 // of each /quota/KIND
	tortureBurst  = 30  // a second, of each /burst/KIND
	bucketBurst   = 10
	tortureSlow   = 5 // requests at once
	tortureJobs   = 20
	tortureBriefs = 6
	jobTTL        = 3600 // s
	briefTTL      = 3    // s
	reserved      = 500_000
)

// allCounters are what a request to /all is charged to, all at once.
var allCounters = []string{"rolling", "fixed", "calendar", "bucket", "every"}

// quotaKinds are the kinds below /quota/ and /burst/.
var quotaKinds = []string{"rolling", "fixed", "calendar", "bucket"}

// tortureSite is a site with every kind of limit. Those of /all and /settled
// are never reached, those of /quota are reached once, those of /burst all the
// time.
func tortureSite(origin string) string {
	return strings.ReplaceAll(`{
	admin {$WEIR_ADMIN}
	weir {
		store memory "{$WEIR_STATE}"
		policy torture {
			subject {header.X-API-Key}
			limit rolling {
				match POST /all
				rolling 24h
				max 1000000000
				cost {query.n}
			}
			limit fixed {
				match POST /all
				fixed 366d
				max 1000000000
				cost {query.n}
			}
			limit calendar {
				match POST /all
				calendar year UTC
				max 1000000000
				cost {query.n}
			}
			limit bucket {
				match POST /all
				bucket 1/24h burst 1000000000
				cost {query.n}
			}
			count every ever {
				match POST /all
				cost {query.n}
			}
			limit quota-rolling {
				match POST /quota/rolling
				rolling 24h
				max 400
				cost {query.n}
			}
			limit quota-fixed {
				match POST /quota/fixed
				fixed 366d
				max 400
				cost {query.n}
			}
			limit quota-calendar {
				match POST /quota/calendar
				calendar year UTC
				max 400
				cost {query.n}
			}
			limit quota-bucket {
				match POST /quota/bucket
				bucket 1/24h burst 400
				cost {query.n}
			}
			count attempts ever refused {
				match POST /quota/*
			}
			limit burst-rolling {
				match POST /burst/rolling
				rolling 1s
				max 30
			}
			limit burst-fixed {
				match POST /burst/fixed
				fixed 1s
				max 30
			}
			limit burst-bucket {
				match POST /burst/bucket
				bucket 30/1s burst 10
			}
			limit slow {
				match POST /slow
				hold response
				max 5
			}
			limit jobs {
				match POST /jobs
				hold released
				ttl 1h
				max 20
			}
			limit briefs {
				match POST /briefs
				hold released
				ttl 3s
				max 6
			}
			limit settled {
				match POST /settled
				fixed 366d
				max 1000000000
				cost settled reserve 0.5
			}
			limit credits {
				match POST /credits
				rolling 1h
				max {subject.credits} else 0
			}
		}
	}
}

http://127.0.0.1:{$WEIR_PORT} {
	weir torture
	reverse_proxy ORIGIN
}
`, "ORIGIN", origin)
}

// otherMaxima changes the maxima that are never reached.
func otherMaxima(site string, n int) string {
	return strings.ReplaceAll(site, "1000000000\n", strconv.Itoa(1_000_000_001+n)+"\n")
}

// setEnv changes a variable that env has.
func setEnv(env []string, name, value string) {
	for i, e := range env {
		if strings.HasPrefix(e, name+"=") {
			env[i] = name + "=" + value
		}
	}
}
