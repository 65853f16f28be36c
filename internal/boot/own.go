package boot

import (
	"net"
	"net/url"

	"durward/internal/admin"
	"durward/internal/config"
)

// ownAddresses are the addresses, as host:port, at which a gateway with this
// configuration answers, and those of URLs at which it does.
func ownAddresses(cfg *config.Config, urls ...string) []string {
	var own []string
	for _, addr := range []string{cfg.Listen, cfg.AdminListen} {
		if _, port, err := net.SplitHostPort(addr); err == nil && port != "0" {
			own = append(own, addr)
		}
	}
	for _, raw := range urls {
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			own = append(own, u.Host)
		}
	}
	return own
}

// OwnAddresses are the addresses under which clients may know the gateway of a
// configuration: the declared ones, and those of the one that runs.
func OwnAddresses(cfg *config.Config) []string {
	run, err := admin.ReadRun(cfg.Data)
	if err != nil { // none runs, or nobody can say where
		return ownAddresses(cfg)
	}
	return ownAddresses(cfg, run.Agents, run.URL)
}
