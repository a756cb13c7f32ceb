package testkit

import (
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// names are the fields of requests that hold a topic, a group or a transactional id. Kafka's schema uses few words, and
// the same ones everywhere.
var names = map[string]bool{
	"Topic": true, "Topics": true, "TopicNames": true, "SubscribedTopicNames": true,
	"Group": true, "Groups": true, "TransactionalID": true, "TransactionID": true, "TransactionalIDs": true,
	"CoordinatorKey": true, "CoordinatorKeys": true,
}

// addPrefix puts the prefix before every name of a request.
func (n *namespace) addPrefix(request kmsg.Request) {
	eachText(reflect.ValueOf(request), func(in reflect.Value, field, text string) string {
		named := names[field]
		if field == "ResourceName" {
			named = in.FieldByName("ResourceType").Interface() == kmsg.ConfigResourceTypeTopic
		}
		if !named || text == "" {
			return text
		}
		return n.prefix + text
	})
}

// removePrefix removes the prefix wherever it stands in a reply, messages of errors included, leaves out what lies
// outside of the namespace, and replaces the brokers' addresses by the proxy's.
func (n *namespace) removePrefix(response kmsg.Response) error {
	switch r := response.(type) {
	case *kmsg.MetadataResponse:
		r.Topics = slices.DeleteFunc(r.Topics, func(t kmsg.MetadataResponseTopic) bool {
			return t.Topic != nil && !n.owns(*t.Topic)
		})
	case *kmsg.ListGroupsResponse:
		r.Groups = slices.DeleteFunc(r.Groups, func(g kmsg.ListGroupsResponseGroup) bool { return !n.owns(g.Group) })
	case *kmsg.ListTransactionsResponse:
		type state = kmsg.ListTransactionsResponseTransactionState
		r.TransactionStates = slices.DeleteFunc(r.TransactionStates, func(s state) bool { return !n.owns(s.TransactionalID) })
	}
	v := reflect.ValueOf(response)
	eachText(v, func(_ reflect.Value, _, text string) string { return strings.ReplaceAll(text, n.prefix, "") })
	return netfault.RewriteBrokers(response, n.Addr)
}

func (n *namespace) owns(name string) bool { return strings.HasPrefix(name, n.prefix) }

// eachText replaces every text of a message: of fields, of pointers to text and of lists of it.
func eachText(v reflect.Value, replace func(in reflect.Value, field, text string) string) {
	netfault.EachStruct(v, func(s reflect.Value) {
		for i := range s.NumField() {
			name, f := s.Type().Field(i).Name, s.Field(i)
			if f.Kind() == reflect.Pointer && !f.IsNil() {
				f = f.Elem()
			}
			switch {
			case f.Kind() == reflect.String:
				f.SetString(replace(s, name, f.String()))
			case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String:
				for j := range f.Len() {
					f.Index(j).SetString(replace(s, name, f.Index(j).String()))
				}
			}
		}
	})
}
