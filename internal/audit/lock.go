package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked says that another process writes the log.
var ErrLocked = errors.New("the record is written by another process")

const lockName = "lock"

// lock takes the folder for this process; the system lets go of it when the
// process ends, however it ends.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.Join(fmt.Errorf("this system has no lock that we can use: %w", err), f.Close())
	} else if err != nil {
		err = fmt.Errorf("%w%s: stop it first, or use another data folder: %w", ErrLocked, holder(f), err)
		return nil, errors.Join(err, f.Close())
	}
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.WriteAt([]byte(pid), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// holder tells who holds the lock, as far as can be told.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 20))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || convErr != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}
