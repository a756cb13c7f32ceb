package webhook

import "net/http"

// Verdict is what an answer means for the message.
type Verdict int

// The verdicts.
const (
	// OK means the receiver has taken the message.
	OK Verdict = iota
	// Retry means that trying again by itself may help: no answer, a busy or a broken receiver.
	Retry
	// RetrySlow means that a person has to change something first (address, credentials, body): trying often would
	// only make noise, and giving up would break the order of what follows.
	RetrySlow
)

// String returns the word used in logs, metrics and delivery records.
func (v Verdict) String() string {
	switch v {
	case OK:
		return "ok"
	case Retry:
		return "retry"
	case RetrySlow:
		return "retry_slow"
	}
	return "unknown"
}

// Classify maps the result of [Client.Post] to a verdict. Redirects count as slow: following them loses the body,
// and a receiver that has moved needs a new URL. So does 410, which receivers use to say that they want no more.
func Classify(response Response, err error) Verdict {
	switch {
	case err != nil:
		return Retry
	case response.Status >= 200 && response.Status <= 299:
		return OK
	case response.Status >= 500:
		return Retry
	}
	switch response.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return Retry
	}
	return RetrySlow
}
