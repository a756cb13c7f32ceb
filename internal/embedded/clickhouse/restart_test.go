package clickhouse_test

const childEnv = "ORDERLEDGER_TEST_CHILD"

func child(dir string) int { return 0 }
