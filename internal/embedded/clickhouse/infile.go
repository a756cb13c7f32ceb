package clickhouse

import "strings"

// infile returns the statement that reads spooled rows. The settings in the text of the insert win over those of the
// request: the engine refuses a setting that is set twice.
func (s *Server) infile(ins *insertion, settings []setting, path string) string {
	clause := ins.settings
	own := settingNames(clause)
	for _, x := range settings {
		if own[x.key] || !x.important && !s.knows(x.key) {
			continue
		}
		if clause != "" {
			clause += ", "
		}
		clause += quoteName(x.key) + " = " + x.value
	}
	if clause != "" {
		clause = " SETTINGS " + clause
	}
	return "INSERT INTO " + ins.target + " " + ins.columns + " FROM INFILE " + quoteText(path) +
		" COMPRESSION 'none'" + clause + " FORMAT " + ins.format
}

// knows reports whether the engine has the setting. Clients may send settings of later versions that are not important.
func (s *Server) knows(key string) bool {
	return s.knownSettings[key] || strings.HasPrefix(key, "custom_")
}

// settingNames returns the names of the settings in a clause.
func settingNames(clause string) map[string]bool {
	names := map[string]bool{}
	l := &lexer{sql: clause}
	first := true
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		if first {
			names[strings.Trim(l.text(t), "`\"")] = true
		}
		first = l.punct(t, ',')
	}
	return names
}
