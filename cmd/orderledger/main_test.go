package main

import (
	"os"
	"testing"

	"github.com/orderledger/orderledger/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.RunClickHouse(m)) }
