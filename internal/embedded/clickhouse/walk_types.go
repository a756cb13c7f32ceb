package clickhouse

import (
	"strconv"
	"strings"
)

// widths holds the bytes per value of the types with a fixed width.
var widths = map[string]int{ //nolint:gochecknoglobals // A table, or set once.
	"UInt8": 1, "Int8": 1, "Bool": 1, "Enum8": 1, "Nothing": 1,
	"UInt16": 2, "Int16": 2, "Date": 2, "Enum16": 2, "BFloat16": 2,
	"UInt32": 4, "Int32": 4, "Float32": 4, "Date32": 4, "DateTime": 4, "IPv4": 4, "Decimal32": 4, "Time": 4,
	"UInt64": 8, "Int64": 8, "Float64": 8, "DateTime64": 8, "Decimal64": 8, "Time64": 8,
	"IntervalNanosecond": 8, "IntervalMicrosecond": 8, "IntervalMillisecond": 8, "IntervalSecond": 8, "IntervalMinute": 8,
	"IntervalHour": 8, "IntervalDay": 8, "IntervalWeek": 8, "IntervalMonth": 8, "IntervalQuarter": 8, "IntervalYear": 8,
	"UInt128": 16, "Int128": 16, "UUID": 16, "IPv6": 16, "Decimal128": 16, "Point": 16,
	"UInt256": 32, "Int256": 32, "Decimal256": 32,
}

// shape is the layout of a type's values in a block.
type shape struct {
	form  form
	width int      // of formFixed
	parts []*shape // inner types, in the order of their data
}

type form byte

const (
	formUnknown  form = iota
	formFixed         // width bytes a value
	formString        // a length and the bytes
	formNullable      // a byte a value, then the inner type
	formLowCardinality
	formArray // offsets, then the inner types; a map is one with two
	formTuple
)

// shapeOf returns the shape of a type by its name. A type whose data can't be followed by lengths alone has
// formUnknown, and so has every type that contains one.
func shapeOf(name string) *shape {
	base, args := splitType(name)
	if w, ok := widths[base]; ok {
		return &shape{form: formFixed, width: w}
	}
	switch base {
	case "String":
		return &shape{form: formString}
	case "FixedString":
		if n, err := strconv.Atoi(strings.Join(args, "")); err == nil && n > 0 {
			return &shape{form: formFixed, width: n}
		}
	case "Decimal":
		if len(args) > 0 {
			return decimalShape(args[0])
		}
	case "Nullable":
		return wrap(formNullable, args)
	case "LowCardinality":
		return lowCardinalityShape(args)
	case "Array", "Map":
		return wrap(formArray, args)
	case "Tuple":
		return wrap(formTuple, elements(args))
	case "Nested":
		return &shape{form: formArray, parts: []*shape{wrap(formTuple, elements(args))}}
	case "SimpleAggregateFunction":
		if len(args) == 2 {
			return shapeOf(args[1])
		}
	case "Ring", "LineString":
		return shapeOf("Array(Point)")
	case "Polygon", "MultiLineString":
		return shapeOf("Array(Array(Point))")
	case "MultiPolygon":
		return shapeOf("Array(Array(Array(Point)))")
	}
	return &shape{}
}

func wrap(f form, args []string) *shape {
	s := &shape{form: f}
	for _, a := range args {
		part := shapeOf(a)
		if part.form == formUnknown {
			return &shape{}
		}
		s.parts = append(s.parts, part)
	}
	if len(s.parts) == 0 && f != formTuple {
		return &shape{}
	}
	return s
}

// lowCardinalityShape has the type of the dictionary as its part: NULL is an entry there, without a null map.
func lowCardinalityShape(args []string) *shape {
	if len(args) == 1 {
		if base, inner := splitType(args[0]); base == "Nullable" {
			args = inner
		}
	}
	return wrap(formLowCardinality, args)
}

func decimalShape(precision string) *shape {
	p, err := strconv.Atoi(precision)
	if err != nil {
		return &shape{}
	}
	w := 4
	for _, most := range []int{9, 18, 38} {
		if p > most {
			w *= 2
		}
	}
	return &shape{form: formFixed, width: w}
}

// splitType splits "Name(a, b)" into the name and its arguments.
func splitType(name string) (base string, args []string) {
	open := strings.IndexByte(name, '(')
	if open < 0 || !strings.HasSuffix(name, ")") {
		return name, nil
	}
	inner := name[open+1 : len(name)-1]
	l := &lexer{sql: inner}
	from := 0
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		switch {
		case l.punct(t, '('):
			l.closing()
		case l.punct(t, ','):
			args = append(args, strings.TrimSpace(inner[from:t.from]))
			from = t.to
		}
	}
	if last := strings.TrimSpace(inner[from:]); last != "" {
		args = append(args, last)
	}
	return name[:open], args
}

// elements returns the types of a tuple's elements, without their names.
func elements(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		l := &lexer{sql: a}
		l.next()
		second := l.next()
		out[i] = a
		if second.kind == tokenWord {
			out[i] = a[second.from:]
		}
	}
	return out
}
