package ingest

// Patterns returns the patterns of all routes.
func (i *Ingest) Patterns() []string { return i.patterns }

// Folders returns the folders whose disks are watched.
func (i *Ingest) Folders() []string { return i.disks.folders }
