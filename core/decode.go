package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// DecodeConfig reads a JSON configuration into v, a pointer to a struct. Unlike
// package json it finds all mistakes, unknown fields and repeated ones among
// them, and tells of each where it stands: its error joins ConfigErrors.
func DecodeConfig(data []byte, v any) error {
	k := &compiler{}
	k.decodeStruct("", data, reflect.ValueOf(v).Elem()) // whose own UnmarshalJSON may have called
	return errors.Join(k.errs...)
}

// UnmarshalJSON reads an object by DecodeConfig.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	return DecodeConfig(data, (*plain)(c))
}

// UnmarshalJSON reads an object by DecodeConfig.
func (c *PolicyConfig) UnmarshalJSON(data []byte) error {
	type plain PolicyConfig
	return DecodeConfig(data, (*plain)(c))
}

// decode reads data into v, a value that can be set.
func (k *compiler) decode(path string, data json.RawMessage, v reflect.Value) {
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok && v.Kind() != reflect.Pointer {
		k.failAt(path, u.UnmarshalJSON(data), v.Type())
		return
	}
	if string(data) == "null" {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		k.decode(path, data, v.Elem())
	case reflect.Struct:
		k.decodeStruct(path, data, v)
	case reflect.Map:
		k.decodeMap(path, data, v)
	case reflect.Slice:
		k.decodeSlice(path, data, v)
	default:
		k.failAt(path, json.Unmarshal(data, v.Addr().Interface()), v.Type())
	}
}

// decodeStruct reads an object of known members.
func (k *compiler) decodeStruct(path string, data json.RawMessage, v reflect.Value) {
	fields := map[string]reflect.Value{}
	known := structFields(v, fields)
	k.members(path, data, func(at, name string, value json.RawMessage) {
		if field, ok := fields[name]; ok {
			k.decode(at, value, field)
		} else {
			k.errorf(at, "there is no such field%s", DidYouMean(name, known))
		}
	})
}

// structFields gathers the fields of v and of what it embeds by their names, and
// returns these in order.
func structFields(v reflect.Value, fields map[string]reflect.Value) (names []string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			names = append(names, structFields(v.Field(i), fields)...)
		case f.IsExported() && name != "" && name != "-":
			fields[name], names = v.Field(i), append(names, name)
		}
	}
	return names
}

// decodeMap reads an object of any members.
func (k *compiler) decodeMap(path string, data json.RawMessage, v reflect.Value) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	k.members(path, data, func(at, name string, value json.RawMessage) {
		member := reflect.New(v.Type().Elem()).Elem()
		k.decode(at, value, member)
		v.SetMapIndex(reflect.ValueOf(name), member)
	})
}

// decodeSlice reads a list.
func (k *compiler) decodeSlice(path string, data json.RawMessage, v reflect.Value) {
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil {
		k.failAt(path, err, v.Type())
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(elements), len(elements)))
	for i, element := range elements {
		k.decode(fmt.Sprintf("%s[%d]", path, i), element, v.Index(i))
	}
}

// members calls each with the path, name and value of an object's members.
func (k *compiler) members(path string, data json.RawMessage, each func(at, name string, value json.RawMessage)) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		k.failAt(path, json.Unmarshal(data, &struct{}{}), reflect.TypeFor[struct{}]())
		return
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		at := joinPath(path, Clip(name))
		switch {
		case err != nil: // it was no JSON
			k.fail(path, err)
			return
		case seen[name]:
			k.errorf(at, "stands twice")
		default:
			seen[name] = true
			each(at, name, value)
		}
	}
}

// joinPath appends a part to a path.
func joinPath(path, part string) string {
	if path == "" || part == "" || part[0] == '[' {
		return path + part
	}
	return path + "." + part
}

// failAt notes what reading a value of type t has met with at path: an error of
// package json in the words of a configuration, and ConfigErrors, whose paths
// begin there.
func (k *compiler) failAt(path string, err error, t reflect.Type) {
	var mismatch *json.UnmarshalTypeError
	switch inner := ConfigErrors(err); {
	case err == nil:
	case len(inner) > 0:
		for _, e := range inner {
			k.fail(joinPath(path, e.Path), e.Err)
		}
	case errors.As(err, &mismatch):
		k.errorf(path, "expected %s, got %s", expectation(t), found(mismatch.Value))
	case t == reflect.TypeFor[json.Number]():
		k.errorf(path, "expected a number")
	default:
		k.fail(path, err)
	}
}

// expectation says what a value of type t is in JSON.
func expectation(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return `a duration such as "60s"`
	case reflect.TypeFor[CostConfig]():
		return "a whole number, or an object"
	case reflect.TypeFor[json.Number]():
		return "a number"
	case reflect.TypeFor[Value]():
		return "a number, a text, true or false"
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a whole number"
}

// found says in the same words what package json calls a value.
func found(value string) string {
	kind, number, _ := strings.Cut(value, " ")
	switch {
	case kind == "number" && number != "":
		return Clip(number)
	case kind == "array":
		return "a list"
	case kind == "string":
		return "a text"
	case kind == "object":
		return "an object"
	case kind == "bool":
		return "true or false"
	}
	return "a " + kind
}
