package setting

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Print returns a configuration as JSON for people: what json.MarshalIndent returns, but with durations such as 1m30s,
// and hashes in hexadecimal. Types that write themselves, such as secrets, do so.
func Print(cfg any, prefix, indent string) ([]byte, error) {
	var b, out bytes.Buffer
	if err := write(&b, reflect.ValueOf(cfg)); err != nil {
		return nil, err
	}
	if err := json.Indent(&out, b.Bytes(), prefix, indent); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func write(b *bytes.Buffer, v reflect.Value) error {
	if !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
		b.WriteString("null")
		return nil
	}
	value := v.Interface()
	switch x := value.(type) {
	case json.Marshaler, encoding.TextMarshaler: // Before its parts, which may be secrets.
	case time.Duration:
		value = x.String()
	default:
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			return write(b, v.Elem())
		case reflect.Struct:
			b.WriteByte('{')
			if err := writeFields(b, v, new(int)); err != nil {
				return err
			}
			b.WriteByte('}')
			return nil
		case reflect.Map:
			return writeMap(b, v)
		case reflect.Array:
			if v.Type().Elem().Kind() != reflect.Uint8 {
				return writeList(b, v)
			}
			bytes := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(bytes), v)
			value = hex.EncodeToString(bytes)
		case reflect.Slice:
			if !v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8 {
				return writeList(b, v)
			}
		default: // encoding/json writes it as it is.
		}
	}
	text, err := json.Marshal(value)
	b.Write(text)
	return err
}

// writeFields writes the members of a struct, and those of the structs that it embeds. written counts them.
func writeFields(b *bytes.Buffer, v reflect.Value, written *int) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-", !field.IsExported(), option == "omitempty" && empty(v.Field(i)):
			continue
		case field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct:
			if err := writeFields(b, v.Field(i), written); err != nil {
				return err
			}
			continue
		case name == "":
			name = field.Name
		}
		if err := writeMember(b, name, v.Field(i), written); err != nil {
			return err
		}
	}
	return nil
}

// empty is what omitempty of encoding/json leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

func writeMap(b *bytes.Buffer, v reflect.Value) error {
	if v.IsNil() {
		b.WriteString("null")
		return nil
	}
	members := map[string]reflect.Value{}
	for _, key := range v.MapKeys() {
		members[fmt.Sprint(key)] = v.MapIndex(key)
	}
	written := 0
	b.WriteByte('{')
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := writeMember(b, name, members[name], &written); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func writeMember(b *bytes.Buffer, name string, v reflect.Value, written *int) error {
	if *written > 0 {
		b.WriteByte(',')
	}
	*written++
	text, err := json.Marshal(name)
	if err != nil {
		return err
	}
	b.Write(append(text, ':'))
	return write(b, v)
}

func writeList(b *bytes.Buffer, v reflect.Value) error {
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := write(b, v.Index(i)); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}
