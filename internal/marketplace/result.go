package marketplace

import (
	"encoding/json"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Result is the result of one item of an action.
type Result struct {
	// ID is the id as the caller wrote it.
	ID string
	// OK means that the command is accepted, now or by an earlier request with the same key.
	OK bool
	// Code and Message are the reason if it is not.
	Code    shipment.Code
	Message string
}

// RenderResults returns the body of an action's response: one result per item, in order. Send it with status 200 even
// if items fail: for 204 the official client returns null to its user.
//
// The marketplace's pages disagree on the name of the verdict, status or processingStatus, and clients read either one,
// so a result has both. The pages of services have failureReason in place of errorCode and errorMessage; the result of
// a service has all three. The pages don't show a success; errorCode and errorMessage are null then.
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
