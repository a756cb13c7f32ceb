package events

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// TopicLayout holds the Layout of the ledger, one partition, kept forever. It is written before any other topic is
// created.
const TopicLayout = "orders.layout.v1"

const (
	// LayoutFormat is the version of the format of all records that this package writes and reads.
	LayoutFormat = 2
	// PartitionerMurmur2 names the function of Lane.
	PartitionerMurmur2 = "murmur2"
)

// layoutDomain separates these hashes from any other use of SHA-256. Its version changes with the form of Hash.
const layoutDomain = "orderledger.layout.v1\x00"

// Layout is what the topics of a ledger are. It never changes in an epoch: another number of lanes would assign
// shipments to lanes that do not have their state, and two names on one Kafka would fence each other's ids.
type Layout struct {
	// Epoch counts the layouts of a ledger. This version reads only epoch 0.
	Epoch uint32
	// LedgerID is a random id that the ledger got when it was created.
	LedgerID string
	// Cluster is the configured name of the ledger.
	Cluster string
	// Format is LayoutFormat of the program that created the ledger.
	Format uint32
	// Partitioner is PartitionerMurmur2.
	Partitioner string
	// Lanes is the number of lanes. Topics may have more partitions; nothing writes to those.
	Lanes uint32
}

// Hash returns the SHA-256 of: the domain, and the fields in their order, each number as four bytes, big-endian, and
// each text preceded by its length in four bytes.
func (l *Layout) Hash() Hash {
	var scratch [256]byte
	b := append(scratch[:0], layoutDomain...)
	b = binary.BigEndian.AppendUint32(b, l.Epoch)
	b = appendText(b, l.LedgerID)
	b = appendText(b, l.Cluster)
	b = binary.BigEndian.AppendUint32(b, l.Format)
	b = appendText(b, l.Partitioner)
	b = binary.BigEndian.AppendUint32(b, l.Lanes)
	return sha256.Sum256(b)
}

// Marshal returns the value of the layout's record, ledgerv1.Layout.
func (l *Layout) Marshal(createdAt time.Time) ([]byte, error) {
	value, err := (&ledgerv1.Layout{
		Epoch: l.Epoch, LedgerId: l.LedgerID, Cluster: l.Cluster, Format: l.Format, Partitioner: l.Partitioner,
		Lanes: l.Lanes, CreatedAt: timestamppb.New(createdAt),
	}).MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode the layout: %w", err)
	}
	return value, nil
}

// DecodeLayout reads the value of a record of TopicLayout. The error wraps ErrUndecodable. A layout of a later epoch or
// format is no error here: what a reader needs of it is for the reader to judge.
func DecodeLayout(value []byte) (Layout, error) {
	var m ledgerv1.Layout
	if err := m.UnmarshalVT(value); err != nil {
		return Layout{}, fmt.Errorf("%w: layout: %w", ErrUndecodable, err)
	}
	if m.GetLedgerId() == "" || m.GetCluster() == "" || m.GetLanes() == 0 {
		return Layout{}, fmt.Errorf("%w: layout: ledger id %q, cluster %q, %d lanes", ErrUndecodable,
			m.GetLedgerId(), m.GetCluster(), m.GetLanes())
	}
	return Layout{
		Epoch: m.GetEpoch(), LedgerID: m.GetLedgerId(), Cluster: m.GetCluster(), Format: m.GetFormat(),
		Partitioner: m.GetPartitioner(), Lanes: m.GetLanes(),
	}, nil
}
