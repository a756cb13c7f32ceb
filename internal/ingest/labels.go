package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// invoices handles GET /v3/shipments/{ids}/invoices: JSON, or PDF for clients that accept nothing else.
func (r *reads) invoices(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	ids, found, err := r.inPath(ctx, c, who, marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	if c.Request.Header.Get("Accept") == "application/pdf" {
		return r.writePDF(c, who, ids, found)
	}
	out := make([]marketplace.Invoice, 0, len(found))
	for _, one := range found {
		if code, _ := missingDocuments(one); code != "" && one.GetPacking().GetRevision() > 0 {
			continue // Withdrawn, or about to be replaced.
		}
		if invoice, ok := marketplace.RenderInvoice(one, r.settings); ok {
			out = append(out, invoice)
		}
	}
	return c.Respond(map[string]any{"invoices": out})
}

// labels handles GET /v3/shipments/{ids}/labels, and labelOnly as PDF.
func (r *reads) labels(most int) sellerHandler {
	return func(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
		ids, found, err := r.inPath(ctx, c, who, most)
		if err != nil {
			return err
		}
		return r.writePDF(c, who, ids, found)
	}
}

// labelOnly handles /v3/shipments/{ids}/labelOnly: the bytes of the PDF, or an object that holds them for clients that
// accept JSON. The official client reads nothing else there.
func (r *reads) labelOnly(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	ids, found, err := r.inPath(ctx, c, who, marketplace.MaxLabelOnlyIDs)
	if err != nil {
		return err
	}
	pdf, refusal, err := r.pdf(who, ids, found)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		c.JSON(http.StatusUnprocessableEntity, refusal)
		return nil
	case strings.Contains(c.Request.Header.Get("Accept"), "application/json"):
		return c.Respond(map[string][]byte{"labels": pdf})
	}
	c.Writer.Header().Set("Content-Type", "application/octet-stream")
	c.Bytes(http.StatusOK, pdf)
	return nil
}

// writePDF answers with the documents of all the shipments as one PDF, or with JSON that names those without any.
func (r *reads) writePDF(c *httpx.Call, who *sellers.Seller, ids []string, found []*ledgerv1.Shipment) error {
	pdf, refusal, err := r.pdf(who, ids, found)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		c.JSON(http.StatusUnprocessableEntity, refusal)
		return nil
	}
	c.Writer.Header().Set("Content-Type", "application/pdf")
	c.Writer.Header().Set("Content-Length", strconv.Itoa(len(pdf)))
	c.Bytes(http.StatusOK, pdf)
	return nil
}

// pdf returns the documents as one PDF, or the answer that names the shipments without any.
func (r *reads) pdf(
	who *sellers.Seller, ids []string, found []*ledgerv1.Shipment,
) (pdf, refusal []byte, err error) {
	have := map[string]*ledgerv1.Shipment{}
	for _, one := range found {
		have[one.GetShipmentId()] = one
	}
	var refused []marketplace.Result
	for _, id := range ids {
		code, message := missingDocuments(have[id])
		if code != "" {
			refused = append(refused, marketplace.Result{ID: id, Code: code, Message: message})
		}
	}
	if len(refused) > 0 {
		refusal, err = renderRefusals(refused)
		return nil, refusal, err
	}
	if pdf, err = r.documents.Get(who.ID, found); err != nil {
		return nil, nil, fmt.Errorf("documents of %s: %w", ids[0], err)
	}
	return pdf, nil, nil
}

// missingDocuments returns why a shipment has no documents to download; an empty code if it has some.
func missingDocuments(s *ledgerv1.Shipment) (shipment.Code, string) {
	switch {
	case s == nil:
		return shipment.CodeInvalidShipments, "There is no such shipment; check its id."
	case s.GetStatus() == ledgerv1.Status_STATUS_CANCELLED:
		return shipment.CodeItemAlreadyCancelled, "The shipment is cancelled."
	case s.GetFulfilment() == ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP:
		return shipment.CodeOperationNotAllowed, "It is a self-ship shipment: its seller makes the label and the invoice."
	case s.GetPacking().GetDocumentsRef() != "" && s.GetPacking().GetRevision() == s.GetDocumentRevision():
		return "", ""
	case s.GetPacking().GetDocumentsRef() != "":
		return shipment.CodeItemPackingInProgress, "Units were cancelled; the documents of the rest are not ready. Ask again."
	}
	switch s.GetStatus() {
	case ledgerv1.Status_STATUS_PACKING_IN_PROGRESS, ledgerv1.Status_STATUS_FORM_FAILED:
		return shipment.CodeItemPackingInProgress, "The documents are not ready. Ask again."
	case ledgerv1.Status_STATUS_APPROVED:
		return shipment.CodeItemNotPacked, "Labels were not requested; POST /sellers/v3/shipments/labels requests them."
	default:
		return shipment.CodeOperationNotAllowed, "It was packed elsewhere, so its documents are not here."
	}
}

// renderRefusals returns the list of results with the code of the first at the top level, where clients look too.
func renderRefusals(refused []marketplace.Result) ([]byte, error) {
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
