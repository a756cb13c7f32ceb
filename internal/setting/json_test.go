package setting_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

func TestUnmarshalNamesPlace(t *testing.T) {
	t.Parallel()
	type Policy struct {
		Own bool `json:"own"`
	}
	type seller struct {
		Policy
		ID     string            `json:"id"`
		Tokens []string          `json:"tokens"`
		Within int               `json:"within"`
		Rate   float64           `json:"rate"`
		Names  map[string]string `json:"names"`
		At     []struct {
			Code string `json:"code"`
		} `json:"at"`
		self *seller //nolint:unused // A type may contain itself.
	}
	for name, c := range map[string]struct{ file, want string }{
		"empty":                  {"", "the file is empty"},
		"blank":                  {" \n", "the file is empty"},
		"comma at the end":       {"[{\"id\": \"a\"},\n ]", "line 2, column 2: invalid character ']' looking for beginning of value"},
		"no JSON":                {"id: a", "line 1, column 1: invalid character 'i' looking for beginning of value"},
		"not closed":             {"[{\"id\": \"a\"\n", "line 2, column 1: the file ends within a value: a bracket or a quote is not closed"},
		"two values":             {"[{\"id\": \"a\"}]\n[{\"id\": \"b\"}]", "line 2, column 1: want the end of the file: it holds one JSON value"},
		"misspelt":               {"[{\"id\": \"tokns\",\n  \"tokns\": []}]", `line 2, column 3: unknown member "tokns"; is it "tokens"?`},
		"misspelt in the depth":  {`[{"at": [{"cod": "x"}]}]`, `line 1, column 11: unknown member "cod"; is it "code"?`},
		"unlike any":             {`[{"colour": "x"}]`, `line 1, column 3: unknown member "colour"`},
		"object for a list":      {`{"id": "a"}`, "line 1, column 1: want a list, got an object"},
		"number for a text":      {`[{"id": 5}]`, "line 1, column 9: id: want a text, got a number"},
		"text for a list":        {`[{"é": 1, "tokens": "x"}]`, `line 1, column 3: unknown member "é"`},
		"text for true or false": {"[\n{\"own\": \"yes\"}]", "line 2, column 9: own: want true or false, got a text"},
		"fraction":               {`[{"within": 1.5}]`, "line 1, column 13: within: want a whole number, got 1.5"},
		"list for an object":     {`[{"names": []}]`, "line 1, column 12: names: want an object, got a list"},
		"in the depth":           {`[{"at": [{"code": true}]}]`, "line 1, column 19: at.code: want a text, got true or false"},
		"text for a number":      {`[{"rate": "x"}]`, "line 1, column 11: rate: want a number, got a text"},
		"escaped quotes":         {`[{"rate": "x\"y\""}]`, "line 1, column 11: rate: want a number, got a text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var list []seller
			require.EqualError(t, setting.Unmarshal([]byte(c.file), &list), c.want)
		})
	}
	t.Run("good", func(t *testing.T) {
		t.Parallel()
		var list []seller
		require.NoError(t, setting.Unmarshal([]byte("[{\"id\": \"a\", \"own\": true}]\r\n"), &list))
		require.Equal(t, "a", list[0].ID)
		require.True(t, list[0].Own)
	})
}
