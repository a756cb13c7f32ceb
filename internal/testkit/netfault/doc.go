// Package netfault makes faults on the network for tests: between a process and its brokers, and in front of what a
// process serves. It knows the frames of the Kafka protocol and nothing of the ledger.
//
//	Link         one process's network: pause it, delay a request, disconnect it, cut it for good
//	LossyDialer  loses requests or replies of a kind, inside the process of the test
//	LossyProxy   the same for a program in a process of its own, which finds the brokers behind it
//	BrokerProxy  what LossyProxy is made of: addresses that stand for the brokers of a Kafka, and hooks on each frame
//	Proxy        any TCP address, which can be disabled
//	FrameConn    a connection whose Kafka requests and replies can be looked at, one whole frame at a time
//
// A lost reply is lost only after it has arrived, so that the broker has done what the client will never hear of. A
// lost request never reaches the broker. Both break the connection, as a real network would.
//
// Everything is safe for concurrent use. Nothing is left behind: proxies close with the test that opened them.
package netfault
