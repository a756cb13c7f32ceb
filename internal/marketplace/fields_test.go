package marketplace_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
)

// example is the notification of a type in the documentation, with every field that the ledger reads.
func example(t *testing.T, eventType string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "notifications", eventType+".json"))
	require.NoError(t, err)
	return body
}

func fieldsOf(eventType string) []marketplace.Field {
	fields := marketplace.EnvelopeFields()
	for _, f := range marketplace.AttributeFields(eventType) {
		f.Path = "attributes." + f.Path
		fields = append(fields, f)
	}
	return fields
}

// place returns the object that holds a field and the field's name, or index; in lists it is of the first element.
func place(t *testing.T, root map[string]any, path string) (object map[string]any, name string) {
	t.Helper()
	object = root
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		name, list := strings.CutSuffix(step, "[]")
		next := object[name]
		if list {
			elements, ok := next.([]any)
			require.True(t, ok && len(elements) > 0, "%s: the example has no %s", path, step)
			next = elements[0]
		}
		var ok bool
		object, ok = next.(map[string]any)
		require.True(t, ok, "%s: the example has no %s", path, step)
	}
	return object, steps[len(steps)-1]
}

// changed returns the example with another value at a path, or without it.
func changed(t *testing.T, eventType, path string, value json.RawMessage) string {
	t.Helper()
	var root map[string]any
	require.NoError(t, json.Unmarshal(example(t, eventType), &root))
	object, name := place(t, root, path)
	if value == nil {
		delete(object, name)
	} else {
		object[name] = value
	}
	body, err := json.Marshal(root)
	require.NoError(t, err)
	return string(body)
}

// wrong returns values of other JSON types than a field has.
func wrong(f marketplace.Field) []string {
	values := map[string]string{"string": `"x"`, "number": `5`, "boolean": `true`, "object": `{}`, "array": `[7]`}
	switch f.Type {
	case marketplace.TypeText, marketplace.TypeID, marketplace.TypeTime:
		delete(values, "string")
	case marketplace.TypeUnits, marketplace.TypeNumber, marketplace.TypeAmount:
		delete(values, "number")
	case marketplace.TypeFlag:
		delete(values, "boolean")
	case marketplace.TypeObject:
		delete(values, "object")
	}
	var out []string
	for _, v := range values {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// senseless returns values of the right type that mean nothing.
func senseless(f marketplace.Field) []string {
	switch f.Type {
	case marketplace.TypeID:
		return []string{strconv.Quote(strings.Repeat("x", 300)), `"a\u0001"`, `"S\ud83c"`, `" a"`}
	case marketplace.TypeTime:
		if f.Path == "timestamp" {
			return []string{`"yesterday"`, `"2024-02-30T10:00:00Z"`}
		}
		return []string{`"yesterday"`, `"9999-12-31"`, `"0001-01-01T00:00:00Z"`, `"2024-02-30"`}
	case marketplace.TypeUnits:
		return []string{`-1`, `0.5`, `1e300`, `1000001`}
	case marketplace.TypeAmount:
		return []string{`1e300`}
	case marketplace.TypeText:
		return []string{`"LOST"`}
	}
	return nil
}

// outline is an input without what a left-out field may still change: its name, and extensions that are kept verbatim.
func outline(in shipment.Input) (shipment.Input, []string) {
	v := reflect.New(reflect.TypeOf(in)).Elem()
	v.Set(reflect.ValueOf(in))
	field := v.FieldByName("LeftOut")
	left, _ := field.Interface().([]string)
	field.Set(reflect.Zero(field.Type()))
	if c, ok := v.Interface().(shipment.Created); ok {
		c.Details.ExtensionsJson = ""
		for i := range c.Items {
			c.Items[i].Details.ExtensionsJson = ""
		}
		return c, left
	}
	in, _ = v.Interface().(shipment.Input)
	return in, left
}

// expect asserts that a notification has a consequence because of a field.
func expect(t *testing.T, want marketplace.Consequence, eventType, body, path string) {
	t.Helper()
	at := strings.ReplaceAll(path, "[]", "[0]")
	n, err := marketplace.ParseNotification([]byte(body), marketplace.DefaultSettings())
	if want == marketplace.Refused {
		var problem *marketplace.ProblemError
		require.ErrorAs(t, err, &problem, "%s", body)
		require.True(t, strings.HasPrefix(problem.Path, at) || problem.Problem == marketplace.ProblemMissing, "%s: %s", at, problem.Path)
		return
	}
	require.NoError(t, err, "%s", body)
	_, message, unintelligible := n.Unintelligible()
	require.Equal(t, want == marketplace.Quarantined, unintelligible, "%s: %s", body, message)
	if unintelligible {
		return
	}
	got, left := outline(n.Input())
	switch want {
	case marketplace.LeftOut:
		require.NotEmpty(t, left, "%s", body)
		require.Contains(t, strings.Join(left, "\n"), at)
		if strings.HasSuffix(path, "[]") {
			return // An element of a list, which can't be absent.
		}
		without, err := marketplace.ParseNotification([]byte(changed(t, eventType, path, nil)), marketplace.DefaultSettings())
		require.NoError(t, err)
		same, _ := outline(without.Input())
		require.Equal(t, same, got, "as if it were absent: %s", body)
	case marketplace.LineLeftOut:
		line := at[:strings.Index(at, "[0]")+3]
		require.Len(t, left, 1, "%s", body)
		require.True(t, strings.HasPrefix(left[0], line), "%s: %s", line, left[0])
	case marketplace.NoConsequence:
		require.Empty(t, left, "%s", body)
	}
}

// Every field of every type has the consequences that the table says, whatever stands in its place.
func TestFieldsHaveConsequences(t *testing.T) {
	t.Parallel()
	for _, eventType := range marketplace.EventTypes() {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()
			expect(t, marketplace.NoConsequence, eventType, string(example(t, eventType)), "")
			for _, f := range fieldsOf(eventType) {
				if object, name := place(t, exampleOf(t, eventType), f.Path); object[name] == nil {
					if strings.HasPrefix(f.Path, "attributes.") {
						require.Fail(t, "the example lacks a field", f.Path)
					}
					continue // Of the envelope: of other types.
				}
				switch {
				case f.Missing == marketplace.LeftOut: // The element is left out; its name says so.
					body := changed(t, eventType, f.Path, nil)
					expect(t, f.Missing, eventType, body, f.Path[:strings.LastIndexByte(f.Path, '.')])
				case f.Path == "attributes" || f.Path == "returnId": // What they hold decides.
				default:
					expect(t, f.Missing, eventType, changed(t, eventType, f.Path, nil), f.Path)
				}
				for _, value := range wrong(f) {
					expect(t, f.Wrong, eventType, changed(t, eventType, f.Path, json.RawMessage(value)), f.Path)
				}
				if f.Senseless == marketplace.NoConsequence {
					continue
				}
				for _, value := range senseless(f) {
					expect(t, f.Senseless, eventType, changed(t, eventType, f.Path, json.RawMessage(value)), f.Path)
				}
			}
		})
	}
}

func exampleOf(t *testing.T, eventType string) map[string]any {
	t.Helper()
	var root map[string]any
	require.NoError(t, json.Unmarshal(example(t, eventType), &root))
	return root
}

// The table has every member that the code reads, and no other.
func TestFieldsAreComplete(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{"orderItems": true}
	for _, eventType := range marketplace.EventTypes() {
		for _, f := range fieldsOf(eventType) {
			listed[f.Path[strings.LastIndexByte(f.Path, '.')+1:]] = true
			if f.Alias != "" {
				listed[f.Alias] = true
			}
		}
	}
	read := map[string]bool{"packageTitle": true, "packageSku": true} // Passed to readSubShipments.
	for _, file := range []string{"notification.go", "notification_shipment.go", "notification_return.go", "notification_observed.go", "parts.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !isReader(method.X) || method.Sel.Name == "invalid" || method.Sel.Name == "leaveOut" || method.Sel.Name == "malformed" {
				return true
			}
			for _, arg := range call.Args {
				if literal, ok := arg.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					name, err := strconv.Unquote(literal.Value)
					require.NoError(t, err)
					read[name] = true
				}
			}
			return true
		})
	}
	for _, helper := range []string{"deliveryAddress", "billingAddress", "status"} {
		read[helper] = true // Passed by name to readAddress and readStatus.
	}
	require.Equal(t, listed, read)
}

func isReader(x ast.Expr) bool {
	name, ok := x.(*ast.Ident)
	return ok && name.Name == "r"
}
