package clickhouse

import "strings"

// infile writes the statement that reads spooled rows. The statement's own settings win over those of the request, and
// a repeated one would be refused.
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
	return "INSERT INTO " + ins.target + " " + ins.columns + " FROM INFILE " + quoteText(path) + " COMPRESSION 'none'" + clause + " FORMAT " + ins.format
}

// knows reports whether the engine has the setting. A client may send settings of later versions, as long as they don't
// matter.
func (s *Server) knows(key string) bool {
	return s.knownSettings[key] || strings.HasPrefix(key, "custom_")
}

// settingNames lists the settings that a clause sets.
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
