// Package netfault makes faults on the network for tests: between a process and its brokers, and between a server and
// its clients. It knows the frames of the Kafka protocol and nothing of the ledger.
//
//	Link         one process's network: pause it, delay a request, disconnect it, cut it for good
//	LossyDialer  loses requests or replies of a kind, inside the process of the test
//	LossyProxy   the same for a program in another process, which connects to the proxy instead of the brokers
//	BrokerProxy  an address for each broker of a Kafka, with hooks on each frame; LossyProxy is built on it
//	Proxy        any TCP address, which can be disabled
//	FrameConn    a connection with hooks on each Kafka request and reply
//
// A reply gets lost only after it has arrived, so the broker has handled the request. A lost request never reaches the
// broker. Both break the connection, as a real network would.
//
// Everything is safe for concurrent use. Nothing is left behind: proxies close with the test that opened them.
package netfault
