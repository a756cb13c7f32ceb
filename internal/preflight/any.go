package preflight

import "sync"

// AnyOf probes interchangeable servers concurrently, so that one that does not answer takes no time from the others.
// Ask returns a text about a good server, or a finding about a bad one. One good answer is enough: the findings about
// the other servers become warnings. Good makes one finding of all good answers, which are in the order of asked.
func AnyOf[T any](asked []T, ask func(T) (string, *Finding), good func([]string) Finding) []Finding {
	answers, wrong := make([]string, len(asked)), make([]*Finding, len(asked))
	var wg sync.WaitGroup
	for i, one := range asked {
		wg.Go(func() { answers[i], wrong[i] = ask(one) })
	}
	wg.Wait()
	var well []string
	var findings []Finding
	for i := range asked {
		if wrong[i] == nil {
			well = append(well, answers[i])
		} else {
			findings = append(findings, *wrong[i])
		}
	}
	if len(well) == 0 {
		return findings
	}
	for i := range findings {
		findings[i].Level = Warn
	}
	return append([]Finding{good(well)}, findings...)
}
