package clickhouse

import "strconv"

// engineOptions returns the arguments of the engine. Its defaults suit a server that has the machine to itself: caches
// of gigabytes, and most of the memory.
func (s *Server) engineOptions() []string {
	bytes := func(n int64) string { return strconv.FormatInt(n, 10) }
	cache := s.cfg.MaxMemoryBytes / 16
	return append(sessionOptions(),
		"--max_server_memory_usage="+bytes(s.cfg.MaxMemoryBytes),
		"--mark_cache_size="+bytes(cache),
		"--primary_index_cache_size="+bytes(cache),
		"--index_mark_cache_size="+bytes(cache/4),
		"--query_condition_cache_size="+bytes(cache/4),
	)
}
