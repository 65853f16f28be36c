package ship

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"durward/internal/audit"
)

// syslog speaks RFC 5424: over TLS (RFC 5425) and TCP (RFC 6587) with the
// length before each message, over UDP (RFC 5426) a datagram for each.
type syslog struct {
	network, address, format string
	conf                     *tls.Config
	host                     string
	conn                     net.Conn // nil when there is none
	raw                      net.Conn // under TLS
}

func newSyslog(network, address, format string, conf *tls.Config) *syslog {
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	return &syslog{network: network, address: address, format: format, conf: conf, host: host}
}

func (s *syslog) close() {
	if s.conn != nil {
		_ = s.conn.Close() // what was sent is confirmed already
		s.conn, s.raw = nil, nil
	}
}

func (s *syslog) send(ctx context.Context, batch []audit.Entry) (err error) {
	if s.conn == nil {
		if err := s.dial(ctx); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	if err := s.conn.SetDeadline(deadline); err != nil {
		return err
	}
	var out, body []byte
	for _, e := range batch {
		if body, err = Append(body[:0], s.format, e); err != nil {
			return err
		}
		msg := appendSyslog(nil, s.host, os.Getpid(), e, body)
		if s.network == "udp" {
			if _, err := s.conn.Write(msg[:min(len(msg), 60_000)]); err != nil {
				return err
			}
			continue
		}
		out = append(strconv.AppendInt(out, int64(len(msg)), 10), ' ')
		out = append(out, msg...)
		if len(out) > 256<<10 {
			if _, err := s.conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	if s.network == "udp" {
		return nil
	}
	if _, err := s.conn.Write(out); err != nil {
		return err
	}
	return s.confirm(deadline)
}

func (s *syslog) dial(ctx context.Context) error {
	network := s.network
	if network == "tls" {
		network = "tcp"
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, s.address)
	if err != nil {
		return err
	}
	s.conn, s.raw = conn, conn
	if s.network != "tls" {
		return nil
	}
	host, _, err := net.SplitHostPort(s.address)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	conf := s.conf.Clone()
	conf.ServerName = host
	secure := tls.Client(conn, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		s.close()
		return err
	}
	s.conn = secure
	return nil
}

// confirm waits until the other side's system has taken all, as far as ours
// can tell, and has not closed the connection: syslog has no word for it.
func (s *syslog) confirm(deadline time.Time) error {
	for {
		left, err := unsent(s.raw) // before the look at what came: a broken connection may leave it as it is
		if err != nil {
			left = 0 // where it cannot be told, the write has to do
		}
		if err := s.alive(); err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the other side has not taken %d bytes", left)
		}
	}
}

// alive says with an error that the connection is broken or closed.
func (s *syslog) alive() error {
	if err := s.conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); err != nil {
		return err
	}
	var b [1]byte
	_, err := s.conn.Read(b[:])
	var timeout net.Error
	switch {
	case err == nil, errors.As(err, &timeout) && timeout.Timeout():
		return nil
	case errors.Is(err, io.EOF):
		return errors.New("the other side closed the connection")
	}
	return err
}
