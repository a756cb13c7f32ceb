package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// reading lets a handler run once the read model holds what the caller has seen.
func (g *Ingest) reading(h handler) handler {
	return func(ctx context.Context, c *call) error {
		if g.states.conn == nil {
			return errNoReads()
		}
		if err := g.await(ctx, c); err != nil {
			return err
		}
		return h(ctx, c)
	}
}

// idsOf splits a list of ids and refuses too many.
func idsOf(list string, most int) ([]string, error) {
	ids := marketplace.SplitIDs(list)
	switch {
	case len(ids) == 0:
		return nil, newProblem(problemUnprocessable, "no ids")
	case len(ids) > most:
		return nil, newProblem(problemUnprocessable, strconv.Itoa(len(ids))+" ids, at most "+strconv.Itoa(most)+" are taken")
	}
	return ids, nil
}

// respond answers with a document.
func (c *call) respond(document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	c.json(http.StatusOK, body)
	return nil
}

type shipmentList struct {
	Shipments []marketplace.Shipment `json:"shipments"`
}

func render(found []*ledgerv1.Shipment) []marketplace.Shipment {
	out := make([]marketplace.Shipment, len(found))
	for i, one := range found {
		out[i] = marketplace.RenderShipment(one)
	}
	return out
}

// find handles GET /v3/shipments?shipmentIds= | orderItemIds= | orderIds=: exactly one of them. Unknown ids are left
// out.
func (g *Ingest) find(ctx context.Context, c *call) error {
	query := c.r.URL.Query()
	var name string
	for _, one := range []string{"shipmentIds", "orderItemIds", "orderIds"} {
		if !query.Has(one) {
			continue
		}
		if name != "" {
			return newProblem(problemUnprocessable, "shipmentIds, orderItemIds and orderIds exclude one another")
		}
		name = one
	}
	if name == "" {
		return newProblem(problemUnprocessable, "shipmentIds, orderItemIds or orderIds is needed")
	}
	ids, err := idsOf(query.Get(name), marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	by := map[string]func(context.Context, string, []string) ([]*ledgerv1.Shipment, error){
		"shipmentIds": g.states.byShipment, "orderItemIds": g.states.byItem, "orderIds": g.states.byOrder,
	}[name]
	found, err := by(ctx, c.seller.ID, ids)
	if err != nil {
		return err
	}
	c.note(slog.Int("asked", len(ids)), slog.Int("found", len(found)))
	return c.respond(shipmentList{render(found)})
}

// named reads the shipments that the path names.
func (g *Ingest) named(ctx context.Context, c *call, most int) (ids []string, found []*ledgerv1.Shipment, err error) {
	if ids, err = idsOf(c.r.PathValue("ids"), most); err != nil {
		return nil, nil, err
	}
	if found, err = g.states.byShipment(ctx, c.seller.ID, ids); err != nil {
		return nil, nil, err
	}
	c.note(slog.Int("asked", len(ids)), slog.Int("found", len(found)))
	return ids, found, nil
}

// details handles GET /v3/shipments/{ids}.
func (g *Ingest) details(ctx context.Context, c *call) error {
	_, found, err := g.named(ctx, c, marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	out := make([]marketplace.Details, len(found))
	for i, one := range found {
		out[i] = marketplace.RenderDetails(one, c.seller.locations[one.GetLocationId()])
	}
	return c.respond(map[string]any{"shipments": out})
}

// forms handles GET and POST /v3/shipments/{ids}/forms: the pages disagree.
func (g *Ingest) forms(ctx context.Context, c *call) error {
	_, found, err := g.named(ctx, c, marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	out := make([]marketplace.ShipmentForms, len(found))
	for i, one := range found {
		out[i] = marketplace.RenderForms(one)
	}
	return c.respond(map[string]any{"shipments": out})
}

// invoices handles GET /v3/shipments/{ids}/invoices: as JSON, or as PDF for those who accept that only.
func (g *Ingest) invoices(ctx context.Context, c *call) error {
	ids, found, err := g.named(ctx, c, marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	if c.r.Header.Get("Accept") == "application/pdf" {
		return g.pdf(ctx, c, ids, found)
	}
	out := make([]marketplace.Invoice, 0, len(found))
	for _, one := range found {
		if invoice, ok := marketplace.RenderInvoice(one, g.cfg.Marketplace); ok {
			out = append(out, invoice)
		}
	}
	return c.respond(map[string]any{"invoices": out})
}

// labels handles GET /v3/shipments/{ids}/labels, and labelOnly as PDF.
func (g *Ingest) labels(most int) handler {
	return func(ctx context.Context, c *call) error {
		ids, found, err := g.named(ctx, c, most)
		if err != nil {
			return err
		}
		return g.pdf(ctx, c, ids, found)
	}
}

// labelOnly handles /v3/shipments/{ids}/labelOnly: the bytes of the PDF, or, for those who accept JSON, an object that
// holds them: the official client reads nothing else there.
func (g *Ingest) labelOnly(ctx context.Context, c *call) error {
	ids, found, err := g.named(ctx, c, marketplace.MaxLabelOnlyIDs)
	if err != nil {
		return err
	}
	pdf, refusal, err := g.document(ctx, c, ids, found)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		c.json(http.StatusUnprocessableEntity, refusal)
		return nil
	case strings.Contains(c.r.Header.Get("Accept"), "application/json"):
		return c.respond(map[string][]byte{"labels": pdf})
	}
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.bytes(http.StatusOK, pdf)
	return nil
}

// pdf answers with the documents of all the shipments as one PDF, or with JSON that says which have none yet.
func (g *Ingest) pdf(ctx context.Context, c *call, ids []string, found []*ledgerv1.Shipment) error {
	pdf, refusal, err := g.document(ctx, c, ids, found)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		c.json(http.StatusUnprocessableEntity, refusal)
		return nil
	}
	c.w.Header().Set("Content-Type", "application/pdf")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(pdf)))
	c.bytes(http.StatusOK, pdf)
	return nil
}

// document returns the documents as one PDF, or the answer that says which shipments have none.
func (g *Ingest) document(ctx context.Context, c *call, ids []string, found []*ledgerv1.Shipment) (pdf, refusal []byte, err error) {
	have := map[string]*ledgerv1.Shipment{}
	for _, one := range found {
		have[one.GetShipmentId()] = one
	}
	var refused []marketplace.Result
	for _, id := range ids {
		code, message := packedProblem(have[id])
		if code != "" {
			refused = append(refused, marketplace.Result{ID: id, Code: code, Message: message})
		}
	}
	if len(refused) > 0 {
		refusal, err = notPacked(refused)
		return nil, refusal, err
	}
	if pdf, err = g.documents.merged(ctx, c.seller, found); err != nil {
		return nil, nil, fmt.Errorf("documents of %s: %w", ids[0], err)
	}
	return pdf, nil, nil
}

// packedProblem says why a shipment has no documents to download.
func packedProblem(s *ledgerv1.Shipment) (shipment.Code, string) {
	switch {
	case s == nil:
		return shipment.CodeInvalidShipments, "no such shipment"
	case s.GetPacking().GetDocumentsRef() != "":
		return "", ""
	}
	switch s.GetStatus() {
	case ledgerv1.Status_STATUS_PACKING_IN_PROGRESS, ledgerv1.Status_STATUS_FORM_FAILED:
		return shipment.CodeItemPackingInProgress, "the documents are not ready"
	case ledgerv1.Status_STATUS_APPROVED:
		return shipment.CodeItemNotPacked, "labels have not been asked for"
	case ledgerv1.Status_STATUS_CANCELLED:
		return shipment.CodeItemAlreadyCancelled, "the shipment is cancelled"
	default:
		return shipment.CodeOperationNotAllowed, "its documents are not made here"
	}
}

// notPacked is the list of results with the code of the first at the top, where clients look too.
func notPacked(refused []marketplace.Result) ([]byte, error) {
	list, err := marketplace.RenderResults(marketplace.SubjectShipment, refused)
	if err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(list, &body); err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	if body["errorCode"], err = json.Marshal(refused[0].Code); err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return json.Marshal(body)
}
