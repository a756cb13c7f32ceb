package documents

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// blobs keeps pages in a folder, under the reference of their shipment and revision: the PDF, and as JSON what is
// printed on it. A revision is written once; writing it again gives the same bytes.
type blobs struct{ dir string }

// write stores a page. Both files are replaced as a whole, so nobody reads half of one.
func (b blobs) write(ref string, doc page) error {
	pdf, err := renderPDF(doc)
	if err != nil {
		return err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode page %s: %w", ref, err)
	}
	return errors.Join(b.replace(ref+".pdf", pdf), b.replace(ref+".json", text))
}

func (b blobs) replace(name string, data []byte) error {
	path := filepath.Join(b.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", name, errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// read returns a page, or found false where the folder does not have it.
func (b blobs) read(ref string) (doc page, found bool, err error) {
	name := filepath.FromSlash(ref)
	if !filepath.IsLocal(name) {
		return page{}, false, fmt.Errorf("documents %q: not a name in the folder", name)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return page{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	if err != nil {
		return page{}, false, fmt.Errorf("documents %s: %w", name, err)
	}
	return doc, true, nil
}
