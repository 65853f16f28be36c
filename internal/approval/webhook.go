package approval

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"durward"
	"durward/internal/httpwire"
)

// The headers of signed messages, as Standard Webhooks names them.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// skew is how old or new a signed message may be.
const skew = 5 * time.Minute

// Signed is a message with what vouches for it.
type Signed struct {
	ID, Timestamp, Signature string
	Body                     []byte
}

// Sign signs a message: HMAC-SHA-256 over "id.timestamp.body".
func Sign(secret durward.Credential, id string, now time.Time, body []byte) Signed {
	s := Signed{ID: id, Timestamp: strconv.FormatInt(now.Unix(), 10), Body: body}
	s.Signature = "v1," + base64.StdEncoding.EncodeToString(s.mac(secret))
	return s
}

func (s Signed) mac(secret durward.Credential) []byte {
	h := hmac.New(sha256.New, keyOf(secret))
	fmt.Fprintf(h, "%s.%s.", s.ID, s.Timestamp)
	h.Write(s.Body)
	return h.Sum(nil)
}

// keyOf is the key that a secret stands for: what follows "whsec_" in base64, as
// Standard Webhooks writes secrets, else the text itself.
func keyOf(secret durward.Credential) []byte {
	text := secret.Reveal()
	if coded, ok := strings.CutPrefix(text, "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(coded); err == nil && len(key) > 0 {
			return key
		}
	}
	return []byte(text)
}

// Verify refuses a message that was not signed with the secret, or not now.
func Verify(secret durward.Credential, s Signed, now time.Time) error {
	refused := &durward.Error{Code: durward.Unauthenticated, Reason: durward.ReasonKeyUnknown, Message: "The signature is not good."}
	if secret.IsZero() || s.ID == "" {
		return refused
	}
	at, err := strconv.ParseInt(s.Timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > skew {
		return refused
	}
	want := s.mac(secret)
	for one := range strings.FieldsSeq(s.Signature) { // several while a secret is changed
		sum, ok := strings.CutPrefix(one, "v1,")
		got, err := base64.StdEncoding.DecodeString(sum)
		if ok && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return refused
}

// Notifier sends each question, and how it ended, to the webhook.
type Notifier struct {
	desk  *Desk
	queue chan durward.Approval
	http  *httpwire.Client
}

// maxUnsent is how many messages wait to be sent; what comes then is logged and lost:
// the question itself waits at the desk all the same.
const maxUnsent = 1024

// NewNotifier hears of a desk's questions; [Notifier.Run] sends them.
func NewNotifier(d *Desk) *Notifier {
	n := &Notifier{desk: d, queue: make(chan durward.Approval, maxUnsent), http: httpwire.NewClient(httpwire.ClientOptions{HeaderTimeout: 10 * time.Second})}
	d.OnChange(func(a durward.Approval) {
		if a.State == durward.ApprovalUsed && a.Outcome == "" {
			return
		}
		select {
		case n.queue <- a:
		default:
			d.o.Log.Warn("webhook is too slow, a message is lost", "approval", a.ID)
		}
	})
	return n
}

// Run sends until ctx is done.
func (n *Notifier) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-n.queue:
			n.send(ctx, a)
		}
	}
}

// send tries three times. A question that reaches nobody expires, which denies.
func (n *Notifier) send(ctx context.Context, a durward.Approval) {
	hook := n.desk.Rules().Webhook
	if hook.URL == "" {
		return
	}
	body, err := json.Marshal(struct {
		Type     string           `json:"type"`
		Approval durward.Approval `json:"approval"`
	}{"approval." + string(a.State), a})
	if err != nil {
		n.desk.o.Log.Error("webhook message cannot be made", "approval", a.ID, "err", err)
		return
	}
	id := "msg_" + strings.ToLower(rand.Text()) // the same for each try, so that it can be told
	for try := range 3 {
		if err = n.post(ctx, hook, id, body); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second << (2 * try)):
		}
	}
	n.desk.o.Log.Warn("webhook was not reached", "approval", a.ID, "err", err)
}

func (n *Notifier) post(ctx context.Context, hook durward.Webhook, id string, body []byte) error {
	to, err := url.Parse(hook.URL)
	if err != nil {
		return err
	}
	s := Sign(hook.Secret, id, time.Now(), body)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	res, err := n.http.Do(ctx, &httpwire.Request{Method: http.MethodPost, URL: to, Body: httpwire.Bytes(bytes.Clone(body)), Header: http.Header{
		"Content-Type": {"application/json"}, HeaderID: {s.ID}, HeaderTimestamp: {s.Timestamp}, HeaderSignature: {s.Signature},
	}})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.Status/100 != 2 {
		return fmt.Errorf("the webhook answered %d", res.Status)
	}
	return nil
}
