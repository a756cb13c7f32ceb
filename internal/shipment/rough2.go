package shipment

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func told(at time.Time) *ledgerv1.Moment { return &ledgerv1.Moment{At: timestamppb.New(at)} }
