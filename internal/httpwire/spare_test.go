package httpwire

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// lent takes memory of n bytes for owner and fills it.
func lent(t *testing.T, s *spareMemory, owner string, n int) ([]byte, spare) {
	t.Helper()
	b, loan := s.lend(owner, n)
	if len(b) != n || cap(b) != n {
		t.Fatalf("%d bytes are lent with room for %d, want %d and no more", len(b), cap(b), n)
	}
	for i := range b {
		b[i] = 'x'
	}
	if loan == nil {
		return b, spare{}
	}
	return b, loan.spare
}

func TestSpareMemoryStaysWithItsOwner(t *testing.T) {
	var s spareMemory
	b, m := lent(t, &s, "a", 100<<10)
	s.put(m)
	if other, _ := lent(t, &s, "b", 100<<10); &other[0] == &b[0] {
		t.Fatal("memory of a is lent to b")
	}
	if none, m := lent(t, &s, "", 100<<10); &none[0] == &b[0] || m.bytes != nil {
		t.Fatal("memory of a is lent to nobody, or is to come back from nobody")
	}
	again, _ := lent(t, &s, "a", 128<<10)
	if &again[0] != &b[0] {
		t.Error("memory of 128 KiB does not serve a again")
	}
	if third, _ := lent(t, &s, "a", 100<<10); &third[0] == &b[0] {
		t.Error("the same memory is lent twice")
	}
	if s.total != 0 || len(s.free) != 0 {
		t.Errorf("%d bytes in %d pieces are counted as unused", s.total, len(s.free))
	}
}

func TestSpareMemoryFits(t *testing.T) {
	for _, test := range []struct {
		name        string
		first, next int
		reused      bool
	}{
		{"a little larger", 100 << 10, 127 << 10, true},
		{"larger than its step", 100 << 10, 129 << 10, false},
		{"much smaller", 1 << 20, 100 << 10, false},
		{"small: not worth it", Small, Small, false},
		{"the largest", spareMost, spareMost, true},
		{"larger than any", spareMost + 1, spareMost, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s spareMemory
			b, m := lent(t, &s, "a", test.first)
			if m.bytes != nil {
				s.put(m)
			}
			next, _ := lent(t, &s, "a", test.next)
			if reused := &b[0] == &next[0]; reused != test.reused {
				t.Errorf("memory for %d serves for %d: %v, want %v", test.first, test.next, reused, test.reused)
			}
		})
	}
}

func TestSpareMemoryIsBounded(t *testing.T) {
	var s spareMemory
	var all []spare
	for range 2 * spareTotal / (1 << 20) {
		_, m := lent(t, &s, "a", 1<<20)
		all = append(all, m)
	}
	for _, m := range all {
		s.put(m)
	}
	if s.total > spareTotal || s.total < spareTotal/2 || len(s.free)<<20 != s.total {
		t.Errorf("%d bytes in %d pieces are kept, want about %d", s.total, len(s.free), spareTotal)
	}
}

func TestSpareMemoryIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s spareMemory
		_, first := lent(t, &s, "a", 1<<20)
		_, second := lent(t, &s, "a", 1<<20)
		s.put(first)
		time.Sleep(spareTime * 3 / 4)
		s.put(second)
		time.Sleep(spareTime / 2)
		s.mu.Lock()
		kept := len(s.free)
		s.mu.Unlock()
		if kept != 1 {
			t.Errorf("%d pieces are kept, want the younger", kept)
		}
		time.Sleep(2 * spareTime)
		s.mu.Lock()
		kept = len(s.free)
		s.mu.Unlock()
		if kept != 0 || s.total != 0 || s.timed {
			t.Errorf("%d pieces are kept for ever, %d bytes are counted", kept, s.total)
		}
	})
}

func TestLoanIsReturnedOnce(t *testing.T) {
	kept := func() int {
		spares.mu.Lock()
		defer spares.mu.Unlock()
		return len(spares.free)
	}
	before := kept()
	_, loan := spares.lend("TestLoanIsReturnedOnce", 100<<10)
	loan.Return()
	loan.Return()
	(*Loan)(nil).Return()
	(&Loan{}).Return()
	if now := kept(); now != before+1 {
		t.Errorf("%d pieces came back, want 1", now-before)
	}
}

func TestBorrowOnlyWhereTheRequestIsDoneWith(t *testing.T) {
	answer := bytes.Repeat([]byte("a"), 100<<10)
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/pieces" {
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		}
		_, _ = w.Write(answer)
	})
	plain, secure := httptest.NewServer(serve), httptest.NewTLSServer(serve)
	defer plain.Close()
	defer secure.Close()
	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	for _, test := range []struct {
		name, url, owner string
		lent             bool
	}{
		{"plain", plain.URL, "a", true},
		{"nobody's", plain.URL, "", false},
		{"of unknown length", plain.URL + "/pieces", "a", false},
		{"TLS, whose engine may still hold the request", secure.URL, "a", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := NewClient(ClientOptions{TLS: &tls.Config{RootCAs: pool}})
			defer client.Close()
			to, err := url.Parse(test.url)
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(t.Context(), &Request{Method: http.MethodGet, URL: to})
			if err != nil {
				t.Fatal(err)
			}
			b, loan, err := res.Borrow(1<<20, test.owner)
			if err != nil || !bytes.Equal(b, answer) {
				t.Fatalf("reads %d bytes, error %v", len(b), err)
			}
			if lent := loan != nil; lent != test.lent {
				t.Errorf("the memory can be given back: %v, want %v", lent, test.lent)
			}
		})
	}
}

func TestPoisonShowsWhoKeptABody(t *testing.T) {
	s := spareMemory{poisoned: true}
	b, m := lent(t, &s, "a", 100<<10)
	s.put(m)
	if !bytes.Equal(b, bytes.Repeat([]byte{0xff}, len(b))) {
		t.Error("what was given back can still be read")
	}
}
