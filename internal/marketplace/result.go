package marketplace

import (
	"encoding/json"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Result is what became of one item of an action.
type Result struct {
	// ID is the id as the caller wrote it.
	ID string
	// OK says that the command was accepted, or had been before.
	OK bool
	// Code and Message say why not.
	Code    shipment.Code
	Message string
}

// RenderResults writes the answer of an action: 200 with one result per item, in their order.
//
// The pages disagree on the name of the verdict, status or processingStatus, and clients read the one or the other:
// both are written. Services say failureReason in place of a code and a message; they get all three.
func RenderResults(subject Subject, results []Result) ([]byte, error) {
	items := make([]map[string]any, len(results))
	for i, result := range results {
		item := map[string]any{subject.IDMember(): result.ID}
		verdict := "SUCCESS"
		if result.OK {
			item["errorCode"], item["errorMessage"] = nil, nil
		} else {
			verdict = "FAILURE"
			item["errorCode"], item["errorMessage"] = result.Code, result.Message
		}
		item["status"], item["processingStatus"] = verdict, verdict
		if subject == SubjectService {
			item["failureReason"] = nil
			if !result.OK {
				item["failureReason"] = string(result.Code) + ": " + result.Message
			}
		}
		items[i] = item
	}
	return json.Marshal(map[string]any{subject.ListMember(): items})
}
