package webhook

import (
	"bytes"
	"encoding/json"
)

// saysError reports whether a member of a JSON object is true. It also reads the beginning of an object whose rest is
// missing, and accepts the text "true", because taking a refusal for an acceptance would lose the message.
func saysError(body []byte, field string) bool {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return false
		}
		if name == field && (string(value) == "true" || string(value) == `"true"`) {
			return true
		}
	}
	return false
}
