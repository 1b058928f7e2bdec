package core

// A rule matches requests. (see PolicyConfig.Match)
type rule struct{}

// A scopeRule says what a limit counts by.
type scopeRule struct{}

// A subjectRule says how a request's subject is found.
type subjectRule struct{}

func validAttributeName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}
