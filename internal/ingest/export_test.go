package ingest

// Patterns returns the patterns of all routes.
func (i *Ingest) Patterns() []string { return i.patterns }
