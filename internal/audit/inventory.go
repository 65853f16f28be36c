package audit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"durward/internal/audit/publish"
)

// The folders beside the segments.
const (
	tileFolder   = "tile"
	exportFolder = "export"
)

// inventory compares what lies in the folder of a log with what belongs there.
// sealed is whether a checkpoint covers anything: over nothing there are no tiles.
func inventory(dir string, sealed bool) (missing, foreign []string, _ error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	here := map[string]bool{}
	for _, e := range entries {
		here[e.Name()] = true
		if !belongs(e) {
			foreign = append(foreign, e.Name())
		}
	}
	return missingSeal(dir, here, sealed), foreign, nil
}

// belongs tells whether a file or folder may be one of the log's.
func belongs(e os.DirEntry) bool {
	name := strings.TrimSuffix(e.Name(), ".new")
	if e.IsDir() {
		return slices.Contains([]string{tileFolder, exportFolder, indexFolder}, name)
	}
	if !e.Type().IsRegular() {
		return false
	}
	if _, ok := segmentFirst(name); ok {
		return true
	}
	if digits, ok := strings.CutSuffix(name, tornSuffix); ok {
		digits, _, _ = strings.Cut(digits, "-")
		_, ok = segmentFirst(digits + segmentSuffix)
		return ok
	}
	own := []string{lockName, keysName, historyName, checkpointName, holdsName, publish.CosignedName, publish.SeenName, probeName}
	return slices.Contains(own, name) || strings.HasPrefix(name, ".checkpoint-")
}

// missingSeal names what a sealed log lacks. Keys are written first, then
// tiles, then the checkpoint over them: a crash leaves no other order.
func missingSeal(dir string, here map[string]bool, sealed bool) (missing []string) {
	if !here[checkpointName] && !here[historyName] && !holdsTiles(dir) {
		return nil
	}
	for _, name := range []string{keysName, tileFolder, historyName, checkpointName} {
		if !here[name] && (sealed || name != tileFolder) {
			missing = append(missing, name)
		}
	}
	return missing
}

// holdsTiles reports whether there is any tile: what stands in one was signed,
// or is about to be.
func holdsTiles(dir string) bool {
	entries, err := os.ReadDir(filepath.Join(dir, tileFolder, "0"))
	return err == nil && len(entries) > 0
}
