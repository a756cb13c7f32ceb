package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// documents keeps what was rendered, by shipment and revision, in a folder. A revision is written once; writing it
// again gives the same bytes.
type documents struct {
	dir      string
	currency string
}

// put stores the page of a revision and what stands on it. Both are replaced as a whole: nobody reads half a file.
func (d *documents) put(ref string, doc document) error {
	pdf, err := renderPDF(doc)
	if err != nil {
		return err
	}
	text, err := doc.encode()
	if err != nil {
		return fmt.Errorf("encode documents %s: %w", ref, err)
	}
	return errors.Join(d.write(ref+".pdf", pdf), d.write(ref+".json", text))
}

func (d *documents) write(name string, data []byte) error {
	path := filepath.Join(d.dir, filepath.FromSlash(name))
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

// read returns what stands on the page of a packed shipment. Where the folder does not have it, which is when another
// machine packed it, it is described again from the state.
func (d *documents) read(who *seller, s *ledgerv1.Shipment) (document, error) {
	p := s.GetPacking()
	name := filepath.FromSlash(p.GetDocumentsRef())
	if !filepath.IsLocal(name) {
		return document{}, fmt.Errorf("documents %q: not a name in the folder", name)
	}
	text, err := os.ReadFile(filepath.Join(d.dir, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return newDocument(s, p, s.GetDocumentRevision(), who, d.currency, p.GetInvoiceDate().GetAt().AsTime()), nil
	}
	var doc document
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	if err != nil {
		return document{}, fmt.Errorf("documents %s: %w", name, err)
	}
	return doc, nil
}

// merged returns the documents of several shipments as one PDF, a page each, in their order.
func (d *documents) merged(_ context.Context, who *seller, shipments []*ledgerv1.Shipment) ([]byte, error) {
	pages := make([]document, len(shipments))
	for i, s := range shipments {
		var err error
		if pages[i], err = d.read(who, s); err != nil {
			return nil, err
		}
	}
	return renderPDF(pages...)
}

func digest(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }
