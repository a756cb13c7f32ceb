package preflight

import "sync"

// AnyOf asks several that can stand for one another, all at once, so that one that does not answer leaves the others
// their time. Ask returns what is good about one, or what is wrong with it. One good answer is enough: what is wrong
// with others is then a warning. Good makes a finding of all good answers, in the order of those asked.
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
