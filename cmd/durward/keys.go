package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"durward"
)

// The keys of agents that the CLI itself calls as lie beside the data, one
// file each, readable by their owner only. A gateway never reads them: it has
// the hashes.

func keyDir(data string) string { return filepath.Join(data, "agents") }

func keyFile(data, agent string) string { return filepath.Join(keyDir(data), agent+".key") }

// saveKey keeps a key for later calls of the CLI.
func saveKey(data, agent, secret string) (string, error) {
	if err := os.MkdirAll(keyDir(data), 0o700); err != nil {
		return "", fmt.Errorf("save the key: %w", err)
	}
	return writeSecret(keyFile(data, agent), secret)
}

// writeSecret replaces a file in one step, so that nobody sees half a key.
func writeSecret(path, secret string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-") // 0600
	if err != nil {
		return "", fmt.Errorf("save the key: %w", err)
	}
	_, err = f.WriteString(secret + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("save the key: %w", err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", errors.Join(fmt.Errorf("save the key: %w", err), os.Remove(f.Name()))
	}
	return path, nil
}

// readKey returns the saved key of an agent; "" when there is none.
func readKey(data, agent string) (string, error) {
	if err := durward.CheckAgentName(agent); err != nil {
		return "", usagef("%v", err)
	}
	raw, err := os.ReadFile(keyFile(data, agent))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the key of %s: %w", agent, err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// savedAgents lists the agents whose keys are saved.
func savedAgents(data string) []string {
	entries, err := os.ReadDir(keyDir(data))
	if err != nil {
		return nil // no folder, no keys
	}
	var all []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".key"); ok && durward.CheckAgentName(name) == nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// defaultAgent is the agent to be when nobody said which: the first one that
// `durward up` made, else the only one.
func defaultAgent(data string) (string, error) {
	switch saved := savedAgents(data); {
	case slices.Contains(saved, firstAgent):
		return firstAgent, nil
	case len(saved) == 1:
		return saved[0], nil
	case len(saved) > 1:
		return "", usagef("which agent? --agent takes one of %s", strings.Join(saved, ", "))
	}
	return "", hint(usagef("which agent? --agent names one; no key is saved in %s", keyDir(data)),
		"`durward agent list` shows the agents, and `durward agent create NAME --role ROLE` makes one.")
}
