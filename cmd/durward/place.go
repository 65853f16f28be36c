package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"

	"durward"
	"durward/internal/admin"
	"durward/internal/boot"
	"durward/internal/config"
)

// listenFlags replace addresses of the configuration.
type listenFlags struct{ listen, admin string }

func (a *app) configOptions(f listenFlags) config.Options {
	return boot.ConfigOptions(config.Options{Env: a.env, Listen: f.listen, AdminListen: f.admin, Data: a.data})
}

// settings are the configuration that was named, else the one in this folder,
// else the defaults; flags replace what they name.
func (a *app) settings(f listenFlags) (*config.Config, error) {
	path := a.config
	if path == "" {
		found, err := config.Find()
		if err != nil {
			return config.Default(a.configOptions(f))
		}
		path = found
	}
	return config.Load(path, a.configOptions(f))
}

// dataDir is the data folder that the command is about.
func (a *app) dataDir() (string, error) {
	if a.data != "" {
		return a.data, nil
	}
	cfg, err := a.settings(listenFlags{})
	if err != nil {
		return "", err
	}
	return cfg.Data, nil
}

// gateway finds the gateway that runs on the data folder.
func (a *app) gateway(ctx context.Context) (*admin.Client, admin.Run, error) {
	data, err := a.dataDir()
	if err != nil {
		return nil, admin.Run{}, err
	}
	c, r, err := admin.Connect(ctx, data)
	if !errors.Is(err, admin.ErrNotRunning) {
		return c, r, err
	}
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return nil, r, hint(fmt.Errorf("no gateway is running: there is no data folder %s", data), "`durward up` makes one and starts a gateway; --data names another folder.")
	}
	return nil, r, hint(fmt.Errorf("no gateway is running on the data folder %s", data), "`durward up` or `durward serve` starts one.")
}

// agentClient speaks to the gateway as an agent: where and as whom the flags
// say, else to the gateway that runs here with the key that was saved.
func (a *app) agentClient(ctx context.Context, f agentFlags) (*client, error) {
	if f.url != "" {
		key, err := a.keyFor(f)
		return newClient(f.url, key), err
	}
	adm, r, err := a.gateway(ctx)
	if err != nil {
		return nil, err
	}
	adm.Close()
	key := a.givenKey(f)
	if key == "" {
		if key, err = savedKey(r.Data, f.agent); err != nil {
			return nil, err
		}
	}
	return newClient(endpoint(r), key), nil
}

// endpoint is the address of a gateway for callers on this machine: one that
// listens on every address is reached at the loopback one.
func endpoint(r admin.Run) string { return fromHere(r.Agents) + "/mcp" }

// fromHere is an address at which this machine reaches a listener.
func fromHere(listener string) string {
	u, err := url.Parse(listener)
	if err != nil {
		return listener
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}

// keyFor is the key for an endpoint that was named: given, or the saved one of
// an agent that was named, too. Nobody else's key goes to an address.
func (a *app) keyFor(f agentFlags) (string, error) {
	if key := a.givenKey(f); key != "" || f.agent == "" {
		return key, nil
	}
	data, err := a.dataDir()
	if err != nil {
		return "", err
	}
	return savedKey(data, f.agent)
}

func (a *app) givenKey(f agentFlags) string {
	if f.key != "" || f.agent != "" {
		return f.key
	}
	key, _ := a.env("DURWARD_KEY")
	return key
}

// savedKey is the key of the agent that was named, else of the usual one. With
// no agent named and no key saved the call is anonymous, and the gateway decides.
func savedKey(data, agent string) (string, error) {
	if agent == "" {
		if len(savedAgents(data)) == 0 {
			return "", nil
		}
		var err error
		if agent, err = defaultAgent(data); err != nil {
			return "", err
		}
		return readKey(data, agent)
	}
	key, err := readKey(data, agent)
	if err == nil && key == "" {
		text := fmt.Sprintf("no key of agent %s is saved in %s", agent, keyDir(data))
		if near := durward.Closest(agent, savedAgents(data)); near != "" {
			text += "; did you mean " + near + "?"
		}
		err = hint(errors.New(text), "Pass --key, or `durward agent rotate %s --save` mints one; `durward agent list` shows the agents.", agent)
	}
	return key, err
}

// checkKey says why a key cannot be one, without a gateway.
func checkKey(key string) error { return boot.ConfigOptions(config.Options{}).CheckKey(key) }
