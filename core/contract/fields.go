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

// A writer collects fields whose values share one string, so that a set of
// headers costs one allocation.
type writer struct {
	fields Fields
	ends   [len(Fields{}.list)]int
	text   []byte
}

// add ends the value that was appended to w.text and gives it its name.
func (w *writer) add(name string) {
	w.fields.list[w.fields.n].Name = name
	w.fields.n++
	w.ends[w.fields.n-1] = len(w.text)
}

// done returns the fields.
func (w *writer) done() Fields {
	all, start := string(w.text), 0
	for i := range w.fields.All() {
		w.fields.list[i].Value = all[start:w.ends[i]]
		start = w.ends[i]
	}
	return w.fields
}
