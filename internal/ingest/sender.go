package ingest

import (
	"net/http"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
)

// sender is who sent a notification, and for whom.
type sender struct {
	// id names the credential; without one it is what the notification says.
	id string
	// seller is the seller of the notification. It is empty if neither URL nor body names one and the credential speaks
	// for several, or for all; then the shipment says whose it is.
	seller string
	// sellers are those that the credential speaks for, if seller is empty. Nil means all.
	sellers []string
}

// sender finds out for whom a notification is. credential is what it bears, nil for nothing; inPath is the seller that
// the URL names, which may be empty.
func (n received) sender(
	credential *sellers.Credential, inPath string, parsed *marketplace.Notification,
) (sender, error) {
	named := parsed.SellerID
	if inPath != "" {
		if named != "" && named != inPath {
			return sender{}, unknownSeller.New("the URL names one seller and the body another")
		}
		named = inPath
	}
	from := sender{id: parsed.Source, seller: named}
	switch {
	case credential == nil:
		return from, n.admitOpen(named, parsed)
	case named == "":
		from.seller = credential.Only()
	case credential.Includes(named):
	case n.sellers.Open() && !n.sellers.Protected(named):
		return from, nil
	default:
		return sender{}, unknownSeller.New("the credential does not speak for the seller that the notification names")
	}
	from.id = credential.Name
	if from.seller != "" {
		return from, nil
	}
	if parsed.EventType == marketplace.EventShipmentCreated {
		return sender{}, noSeller("its credential speaks for several")
	}
	from.sellers = credential.IDs()
	return from, nil
}

// admitOpen accepts a notification without a credential, if its seller needs none.
//
// If any seller is protected, a notification that names no seller needs a credential too. Otherwise leaving the name
// out would be a way around it.
func (n received) admitOpen(named string, parsed *marketplace.Notification) error {
	switch {
	case n.sellers.Protected(named):
		return httpx.Unauthorized.New("a notification for this seller needs a signature or a notification token")
	case named == "" && n.sellers.Protects():
		return httpx.Unauthorized.New("it names no seller, so it needs a signature or a notification token")
	case named == "" && parsed.EventType == marketplace.EventShipmentCreated:
		return noSeller("it has no credential that says whose it is")
	}
	return nil
}

func noSeller(why string) error {
	return httpx.Unprocessable.New("the notification names no seller, and " + why +
		": name the seller in the URL, /notifications/SELLER, or as sellerId")
}

// credential returns what proves a notification, before anything of its body is read. It is nil if the request bears
// nothing that can be checked and intake is open; a wrong credential is an error, even where none is needed.
func (n received) credential(r *http.Request) (*sellers.Credential, error) {
	c, signed, detail := readCredentials(r.Header)
	if signed {
		app := n.sellers.App(c.appID)
		switch {
		case detail != "":
		case app == nil && n.sellers.Open():
			return nil, nil //nolint:nilnil // The marketplace signs for sellers that are not listed too.
		case app == nil:
			detail = "the sellers file has no application with the appId in X_Authorization"
		default:
			detail = n.verify(r, c, app)
		}
		if detail != "" {
			return nil, badSignature.New(detail)
		}
		return app, nil
	}
	token := bearerToken(r)
	if found := n.sellers.NotificationToken(token); found != nil {
		return found, nil
	}
	switch {
	case n.sellers.Authenticate(token) != nil:
		return nil, httpx.Unauthorized.New("the token is one for calls: a notification needs a notification token")
	case token != "":
		return nil, httpx.Unauthorized.New("the notification token is not valid: " +
			"the sellers file has no such notification token")
	case !n.sellers.Open():
		return nil, httpx.Unauthorized.New("a notification needs a notification token, " +
			"or a signature in X_Authorization and X_Date")
	}
	return nil, nil //nolint:nilnil // Nothing is borne, and nothing is wrong with that.
}

// history reports whether a shipment that the notification creates is history. Only an operator who imports says so. A
// signature does not cover the header: whoever repeats a notification of the marketplace within the window could add
// it, and nobody would be sent the order.
func (n received) history(r *http.Request, credential *sellers.Credential) (bool, error) {
	switch value := r.Header.Get(HeaderHistory); {
	case value == "":
		return false, nil
	case value != "true":
		return false, httpx.Unprocessable.New(HeaderHistory + ": want true, or no such header")
	case !n.sellers.Open() && !credential.IsToken():
		return false, httpx.Unauthorized.New(HeaderHistory + " needs a notification token")
	default:
		return true, nil
	}
}

// verify returns what is wrong with a signature. Each seller of an application may have registered another URL; which
// one the signature covers makes no difference, because all are signed with the same secret.
func (n *notifications) verify(r *http.Request, c credentials, app *sellers.Credential) (detail string) {
	tried := map[string]bool{}
	for _, s := range app.Sellers() {
		url := n.signedURL(s, r)
		if tried[url] {
			continue
		}
		tried[url] = true
		if detail = c.verify(s, url, n.now(), n.window); detail == "" {
			return ""
		}
	}
	return detail
}
