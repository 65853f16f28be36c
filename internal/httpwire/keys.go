package httpwire

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"sync"
)

// keys remembers the last certificate of each host.
type keys struct{ byHost sync.Map }

func (k *keys) note(host string, s *tls.ConnectionState) {
	if s == nil || len(s.PeerCertificates) == 0 {
		return
	}
	if had, ok := k.byHost.Load(host); !ok || had != s.PeerCertificates[0] {
		k.byHost.Store(host, s.PeerCertificates[0])
	}
}

// Key is the public key of the certificate that a host showed last, as
// sha256/BASE64 of its SubjectPublicKeyInfo (RFC 7469); "" when it showed none.
func (c *Client) Key(host string) string {
	v, _ := c.keys.byHost.Load(host)
	cert, ok := v.(*x509.Certificate)
	if !ok {
		return ""
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}
