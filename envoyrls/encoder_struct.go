package envoyrls

import "google.golang.org/protobuf/encoding/protowire"

// The fields of google.protobuf.Struct, of an entry of its map, and of Value.
const (
	structFields protowire.Number = 1
	entryKey     protowire.Number = 1
	entryValue   protowire.Number = 2
	valueNumber  protowire.Number = 2
	valueString  protowire.Number = 3
	valueStruct  protowire.Number = 5
)

// stringMember writes a member of a Struct that is a text.
func (e *encoder) stringMember(key, value string) {
	entry, v := e.openMember(key)
	e.text(valueString, value)
	e.close(v)
	e.close(entry)
}

// numberMember writes a member of a Struct that is a number.
func (e *encoder) numberMember(key string, value float64) {
	entry, v := e.openMember(key)
	e.double(valueNumber, value)
	e.close(v)
	e.close(entry)
}

// openMember begins a member of a Struct, and its value. The key is UTF-8.
func (e *encoder) openMember(key string) (entry, value int) {
	entry = e.open(structFields)
	e.name(entryKey, key)
	return entry, e.open(entryValue)
}

// An opened member of a Struct is one that is a Struct itself.
type opened struct{ entry, value, members int }

// openStruct begins a member that is a Struct.
func (e *encoder) openStruct(key string) (o opened) {
	o.entry, o.value = e.openMember(key)
	o.members = e.open(valueStruct)
	return o
}

// closeStruct ends what openStruct began.
func (e *encoder) closeStruct(o opened) {
	e.close(o.members)
	e.close(o.value)
	e.close(o.entry)
}
