package boot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"durward/internal/config"
	"durward/internal/mcpwire"
	"durward/internal/upstream/stdio"
)

// RecordDir is where the record of a data folder lies.
func RecordDir(data string) string { return filepath.Join(data, "audit") }

// SocketPath is where the running gateway of a data folder takes stdio clients.
// It is in the folder, unless the path is longer than a socket's may be: then
// a name derived from the folder stands in a folder of this user's own among
// the temporary files.
func SocketPath(data string) string {
	abs, err := filepath.Abs(data)
	if err != nil {
		abs = data
	}
	if path := filepath.Join(abs, "durward.sock"); len(path) <= maxSocketPath {
		return path
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(os.TempDir(), fmt.Sprintf("durward-%d", os.Getuid()), hex.EncodeToString(sum[:8])+".sock")
}

const maxSocketPath = 100

// watchdogArg makes this program the watchdog over the processes that a
// gateway started.
const watchdogArg = "upstream-watchdog"

// Watchdog runs when the arguments say so, and reports whether they did: the
// program then returns at once. It ends the upstreams' processes of a gateway
// that died without doing so.
func Watchdog(args []string) bool {
	if len(args) != 3 || args[1] != watchdogArg {
		return false
	}
	stdio.Watch(os.Stdin, args[2])
	return true
}

func watchdog() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{self, watchdogArg}
}

func serverInfo(version string) []byte {
	info, _ := json.Marshal(map[string]string{"name": "durward", "version": version}) // two strings always marshal
	return info
}

func messageLimits(cfg *config.Config) mcpwire.Limits {
	return mcpwire.Limits{Bytes: int(cfg.Limits.Body)}
}
