package clickhouse

func (s *Server) serveHTTP() {}
