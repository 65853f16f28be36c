package durwardtest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// LeakFree is a TestMain that also fails when goroutines are left:
// os.Exit(durwardtest.LeakFree(m)).
func LeakFree(m *testing.M) int {
	code := Main(m)
	if code != 0 {
		return code
	}
	if err := Leaks(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Leaks tells of goroutines that are left. Those that end a moment after what
// they were for have a minute: that moment is long where the machine is slow.
func Leaks(o ...goleak.Option) error {
	for deadline := time.Now().Add(time.Minute); ; {
		if err := goleak.Find(o...); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
