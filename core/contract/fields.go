package contract

// A Field is one header field. Name is spelled as the policy spells it, which
// need not be the canonical form of net/http: a door that wants it on the wire
// so sets it in the header map directly.
type Field struct{ Name, Value string }

// Fields are the headers of one answer, in the order in which they are sent.
// The zero Fields are none.
type Fields struct {
	list [6]Field
	n    int
}

// All returns the fields. They are valid as long as f is.
func (f *Fields) All() []Field { return f.list[:f.n] }

// Len returns the number of fields.
func (f *Fields) Len() int { return f.n }

// Get returns the value of the field whose name is spelled so.
func (f *Fields) Get(name string) (value string, ok bool) {
	for i := range f.All() {
		if f.list[i].Name == name {
			return f.list[i].Value, true
		}
	}
	return "", false
}

// A writer collects fields whose values stand one after the other in one buffer
// of the caller's, so that a set of headers costs one allocation.
type writer struct {
	fields Fields
	ends   [len(Fields{}.list)]int
}

// add names the value with which b ends.
func (w *writer) add(name string, b []byte) {
	w.fields.list[w.fields.n].Name = name
	w.ends[w.fields.n] = len(b)
	w.fields.n++
}

// done returns the fields, whose values are b.
func (w *writer) done(b []byte) Fields {
	all, start := string(b), 0
	for i := range w.fields.All() {
		w.fields.list[i].Value = all[start:w.ends[i]]
		start = w.ends[i]
	}
	return w.fields
}
