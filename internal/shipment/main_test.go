package shipment

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// envCases is the number of cases of each property; see CONTRIBUTING.md.
const envCases = "ORDERLEDGER_TEST_CASES"

func TestMain(m *testing.M) {
	flag.Parse()
	if cases := os.Getenv(envCases); cases != "" {
		if err := flag.Set("rapid.checks", cases); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", envCases, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}
