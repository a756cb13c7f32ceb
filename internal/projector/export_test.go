package projector

// HistoryOnly leaves the state tables out, for benchmarks.
func (p *Projector) HistoryOnly() {
	var all []*slot
	for range cap(p.slots) {
		s := <-p.slots
		s.batch.historyOnly = true
		all = append(all, s)
	}
	for _, s := range all {
		p.slots <- s
	}
}

// Tables returns the tables that the projector writes, and their columns with types.
func Tables() map[string][]string {
	tables := map[string][]string{}
	for _, w := range newBatch().writes() {
		for _, c := range w.table.Columns {
			tables[w.table.Name] = append(tables[w.table.Name], c.Name+" "+string(c.Data.Type()))
		}
	}
	return tables
}
