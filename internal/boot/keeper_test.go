package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// TestTheReasonIsVisible: what an operator reads in /readyz and doctor when the
// record cannot be written, without paths.
func TestTheReasonIsVisible(t *testing.T) {
	for cause, want := range map[error]string{
		syscall.ENOSPC: "full", syscall.EDQUOT: "full", syscall.EROFS: "read-only", syscall.EIO: "fails", syscall.EFBIG: "grow", fs.ErrPermission: "let us write", errors.New("odd"): "cannot be written",
	} {
		got := reasonOf(fmt.Errorf("the record cannot be written: %w", &fs.PathError{Op: "write", Path: "/secret/place", Err: cause}))
		if !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%v: %q, want to hear of %q", cause, got, want)
		}
	}
}
