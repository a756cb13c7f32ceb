package marketplace

import (
	"crypto/sha256"
	"strconv"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Subject is the kind of thing that the items of an action name.
type Subject int

// The subjects of actions.
const (
	SubjectShipment Subject = iota
	SubjectReturn
	SubjectService
)

// IDMember returns the member of a result item that holds the id.
func (s Subject) IDMember() string {
	return [...]string{"shipmentId", "returnId", "serviceFulfilmentId"}[s]
}

// ListMember returns the member of a response that holds the result items.
func (s Subject) ListMember() string {
	return [...]string{"shipments", "returns", "services"}[s]
}

// Action is a call of the seller API that changes something. One call carries many items. Each becomes a command on one
// shipment and gets its own result.
type Action struct {
	// Name is permanent: it is part of the hash of the commands.
	Name string
	// Path is the path below /sellers.
	Path string
	// Subject is what the items name.
	Subject Subject
	// Max is the most items of one call, as the marketplace documents it.
	Max int

	list string // The member that holds the items.
	item func(r *reader, root, item int32) shipment.Input
}

// Command is one item of an action.
type Command struct {
	// ID is the shipment, return or service that the item names, as the caller wrote it. A service may be named by its
	// shipment instead, see ShipmentID.
	ID string
	// ShipmentID is set if the item names its shipment: always for SubjectShipment, sometimes for the others.
	ShipmentID string
	// Input is the command; nil if Code is set.
	Input shipment.Input
	// Hash is the SHA-256 of the action, the members beside the list and the item, in their canonical form. It covers
	// nothing of the other items: a client may repeat one item in another batch.
	Hash [sha256.Size]byte
	// Code and Message are the reason why the item can't be a command; empty if it can.
	Code    shipment.Code
	Message string
}

// Actions returns all actions, in the order of the marketplace's pages. The limits are documented, except for returns:
// newer pages have none, so these keep the 100 of the older ones.
func Actions() []Action {
	return []Action{
		{"labels", "/v3/shipments/labels", SubjectShipment, 25, "shipments", packItem},
		{"dispatch", "/v3/shipments/dispatch", SubjectShipment, 25, "shipmentIds", dispatchItem},
		{"cancel", "/v3/shipments/cancel", SubjectShipment, 25, "shipments", cancelItem},
		{"update_ack", "/v3/shipments/forms/updateAck", SubjectShipment, 25, "shipments", ackItem},
		{"self_ship_dispatch", "/v3/shipments/selfShip/dispatch", SubjectShipment, 100, "shipments", selfShipItem},
		{"self_ship_delivery", "/v3/shipments/selfShip/delivery", SubjectShipment, 100, "shipments", deliveryItem},
		{
			"self_ship_attempt", "/v3/shipments/selfShip/deliveryAttempt", SubjectShipment, 100, "shipments",
			deliveryAttemptItem,
		},
		{"service_attempt", "/v2/services/attempt", SubjectService, 100, "services", serviceAttemptItem},
		{"service_complete", "/v2/services/complete", SubjectService, 100, "services", serviceCompleteItem},
		{"return_approve", "/v2/returns/approve", SubjectReturn, 100, "returns", approveItem},
		{"return_reject", "/v2/returns/reject", SubjectReturn, 100, "returns", rejectItem},
		{"return_complete", "/v2/returns/complete", SubjectReturn, 100, "returnIds", completeReturnItem},
		{"return_pickup", "/v2/returns/pickup", SubjectReturn, 100, "returns", pickupItem},
		{"return_pickup_attempt", "/v2/returns/pickupAttempt", SubjectReturn, 100, "returns", pickupAttemptItem},
		{"return_cancel", "/v2/returns/cancel", SubjectReturn, 100, "returnIds", cancelReturnItem},
	}
}

// Read reads a call's body into its commands, in the order of the items. An error is a *ProblemError about the call as
// a whole. An invalid item only sets the Code of its command, because the marketplace answers such a call with 200 and
// one result per item.
func (a Action) Read(body []byte, settings Settings) ([]Command, error) {
	doc, problem := parseDocument(body)
	if problem != nil {
		return nil, problem
	}
	defer doc.release()
	r := &reader{document: doc, cfg: settings.withDefaults()}
	const root = 0
	if r.nodes[root].kind != kindObject {
		r.malformed(root, ProblemType, "want an object, got "+r.nodes[root].kind.String())
		return nil, r.problem
	}
	var first int32
	var count int
	if names := a.list == "shipmentIds" || a.list == "returnIds"; names {
		first, count = r.list(root, a.list, kindString)
	} else {
		first, count = r.list(root, a.list, kindObject)
	}
	switch {
	case r.problem != nil:
	case count == 0:
		r.malformed(root, ProblemEmpty, a.list+" is missing or empty")
	case count > a.Max:
		r.malformed(r.member(root, a.list), ProblemTooMany,
			strconv.Itoa(count)+" items, the limit is "+strconv.Itoa(a.Max))
	}
	if r.problem != nil {
		return nil, r.problem
	}

	shared := r.appendObject([]byte("orderledger.command.v1\x00"+a.Name+"\x00"), root, a.list)
	commands := make([]Command, 0, count)
	for i := first; i != none; i = r.nodes[i].next {
		c := a.command(r, root, i)
		c.Hash = sha256.Sum256(r.appendCanonical(shared[:len(shared):len(shared)], i))
		commands = append(commands, c)
	}
	if r.problem != nil {
		return nil, r.problem
	}
	return commands, nil
}

// command reads one item. It resets the reader's code, because each item has its own result; problems that make the
// body malformed stay, because they concern the whole call.
func (a Action) command(r *reader, root, item int32) Command {
	var c Command
	r.code, r.message = "", ""
	if r.nodes[item].kind == kindString {
		c.ID = r.stringOf(item)
		if problem := idProblem(c.ID, r.cfg.MaxIDBytes); problem != "" {
			r.invalid(item, shipment.ReasonBadID, problem)
		}
	} else {
		c.ID = r.id(item, a.Subject.IDMember())
		c.ShipmentID = r.id(item, "shipmentId")
	}
	if a.Subject == SubjectShipment {
		c.ShipmentID = c.ID
	}
	if c.ID == "" && c.ShipmentID == "" {
		r.invalid(item, shipment.CodeInvalidRequest, a.Subject.IDMember()+" is mandatory")
	}
	input := a.item(r, root, item)
	if r.code == "" {
		c.Input = input
		return c
	}
	c.Code, c.Message = commandCode(r.code), r.message
	return c
}

// commandCode translates a reason of ours into the marketplace's code. The reader notes the same reasons for
// notifications, whose senders never see them; a seller's client knows only the marketplace's codes.
func commandCode(code shipment.Code) shipment.Code {
	switch code {
	case shipment.ReasonBadTime:
		return shipment.CodeInvalidDate
	case shipment.ReasonBadID:
		return shipment.CodeInvalidShipments
	case shipment.ReasonBadQuantity:
		return shipment.CodeQuantityMismatch
	case shipment.ReasonBadBody, shipment.ReasonNoItems, shipment.ReasonTooLarge:
		return shipment.CodeInvalidRequest
	default:
		return code
	}
}
