package webhook

import "net/http"

// Verdict says what to do with a message after an attempt.
type Verdict int

// The verdicts.
const (
	// OK means that the receiver has accepted the message.
	OK Verdict = iota
	// Retry means that a retry may succeed on its own: there was no response, the receiver is busy or broken, or the body
	// of its response reports an error.
	Retry
	// RetrySlow means that a person has to change something first: the address, the credentials or the body. Frequent
	// retries would be useless, and giving up would break the order of the later messages.
	RetrySlow
)

// String returns the name of the verdict in logs, metrics and delivery records.
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

// Classify maps the result of [Client.Post] to a verdict. A redirect is RetrySlow: following it would lose the body,
// and a receiver that has moved needs a new URL. So is 410, by which receivers ask not to get any more messages.
func Classify(response Response, err error) Verdict {
	switch {
	case err != nil:
		return Retry
	case response.Status >= 200 && response.Status <= 299 && response.BodyError:
		return Retry // The body does not say whose fault it is.
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
