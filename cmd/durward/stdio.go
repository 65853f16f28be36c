package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"durward/internal/boot"
	"durward/internal/config"
)

func stdioCommand(a *app) *cobra.Command {
	var agent, endpoint string
	c := &cobra.Command{
		Use:     "stdio",
		Example: "  durward stdio --agent support-bot",
		Short:   "Speak MCP on standard input and output, for clients that start a process",
		Long: "Speaks MCP on standard input and output as an agent: through the gateway that runs on the data folder,\n" +
			"else through one that it starts. That one serves others, too, makes room for one of `durward serve` or\n" +
			"`durward up`, and ends with this client. When its gateway ends, the client goes on with the next: it waits\n" +
			"up to a minute, and starts one itself when none comes back. Calls that were under way in a crash get an\n" +
			"error and are not made again. No key is needed: whoever may open the data folder could read everything in\n" +
			"it.",
		GroupID: groupUse,
		Args:    args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.stdio(c.Context(), agent, endpoint)
		},
	}
	c.Flags().StringVar(&agent, "agent", "", "agent to speak as (default: the one whose key durward up saved)")
	c.Flags().StringVar(&endpoint, "endpoint", "", "name of the one upstream to reach (default: all)")
	_ = c.RegisterFlagCompletionFunc("agent", a.completeAgents) // the flag is there, two lines up
	return c
}

func (a *app) stdio(ctx context.Context, agent, endpoint string) error {
	data, err := a.dataDir()
	if err != nil {
		return err
	}
	if agent == "" {
		if agent, err = defaultAgent(data); err != nil {
			return err
		}
	}
	via, _ := a.env("DURWARD_VIA") // whoever started us is a gateway
	// The listeners of our own gateway take any free port: the client does not
	// need them, and another gateway may have the usual ones.
	f := listenFlags{listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
	log := a.logger(config.Log{Level: "warn"}).Logger
	seat := &boot.Seat{
		Data: data, Client: boot.StdioClient{Agent: agent, Endpoint: endpoint, Via: via, In: a.in, Out: a.out}, Log: log,
	}
	seat.Start = func(ctx context.Context) (*boot.Gateway, error) {
		cfg, err := a.settings(f)
		if err != nil {
			return nil, err
		}
		seat.Drain = cfg.Limits.DrainTimeout
		return boot.Start(ctx, cfg, boot.Options{Version: version, Log: log, Config: a.configOptions(f), Passing: true})
	}
	if err := seat.Serve(ctx); err != nil {
		return stdioFailed(err)
	}
	return nil
}

// stdioFailed adds what to do: who started us does not do so again by itself.
func stdioFailed(err error) error {
	if errors.Is(err, boot.ErrNoGateway) {
		return hint(err, "`durward up` or `durward serve` starts one; then have the client start this server again.")
	}
	return startFailed(err)
}

// stdioCommand is the command line that a client starts to reach this data folder.
func (a *app) stdioCommand(agent string) ([]string, error) {
	self, _, err := program()
	if err != nil {
		return nil, err
	}
	data, err := a.dataDir()
	if err != nil {
		return nil, err
	}
	full, err := filepath.Abs(data)
	if err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	words := []string{self, "stdio", "--data", full}
	if agent == "" {
		agent, _ = defaultAgent(data) // then the client is asked to name one
	}
	if agent != "" {
		words = append(words, "--agent", agent)
	}
	return words, nil
}

// program is how a client starts this program later on. One that `go run` made
// lies where it will not stay; then it is the name, to be found once installed.
func program() (name string, stays bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", false, fmt.Errorf("find this program: %w", err)
	}
	if fromGoRun(self) {
		return "durward", false, nil
	}
	return self, true, nil
}

// fromGoRun recognises the build folders of the go command: go-build123/b001/exe,
// and its cache, where a program lies in a folder named by a hash and "-d".
func fromGoRun(path string) bool {
	dir := filepath.Dir(filepath.ToSlash(path))
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasPrefix(part, "go-build") {
			return true
		}
	}
	sum, ok := strings.CutSuffix(filepath.Base(dir), "-d")
	_, err := hex.DecodeString(sum)
	return ok && err == nil && len(sum) == 64
}

// installHint tells how to make lines that name durward work; "" when they do.
func installHint() string {
	if _, stays, err := program(); stays || err != nil {
		return ""
	}
	return "The lines above that start durward need it installed: go install ./cmd/durward"
}
