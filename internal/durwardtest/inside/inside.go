// Package inside runs gateways in the process of a test, for what the program
// of [durwardtest.Serve] does not show: the heap, a plan, a shutdown.
package inside

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"durward/internal/boot"
	"durward/internal/config"
)

// Gateway starts a gateway with a configuration, on free ports and with a data
// folder of its own, and shuts it down at the end of the test.
func Gateway(t testing.TB, yaml string) *boot.Gateway {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Parse(filepath.Join(dir, "durward.yaml"), []byte(yaml), config.Options{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Data: filepath.Join(dir, "data"),
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := boot.Start(t.Context(), cfg, boot.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return g
}
