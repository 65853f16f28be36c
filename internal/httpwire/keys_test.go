package httpwire_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"durward/internal/httpwire"
)

func TestKeyOfACertificate(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	c := httpwire.NewClient(httpwire.ClientOptions{TLS: &tls.Config{RootCAs: pool}})
	defer c.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if k := c.Key(u.Hostname()); k != "" {
		t.Errorf("Key before a connection = %s", k)
	}
	r, err := c.Do(t.Context(), &httpwire.Request{Method: "GET", URL: u, Header: http.Header{}})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	sum := sha256.Sum256(srv.Certificate().RawSubjectPublicKeyInfo)
	if got, want := c.Key(u.Hostname()), "sha256/"+base64.StdEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("Key = %s, want %s", got, want)
	}
	// A certificate that is not trusted leaves none.
	strict := httpwire.NewClient(httpwire.ClientOptions{})
	defer strict.Close()
	if _, err := strict.Do(t.Context(), &httpwire.Request{Method: "GET", URL: u, Header: http.Header{}}); err == nil || strict.Key(u.Hostname()) != "" {
		t.Errorf("a stranger's certificate: %v, key %q", err, strict.Key(u.Hostname()))
	}
}
