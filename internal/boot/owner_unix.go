//go:build unix

package boot

import (
	"fmt"
	"os"
	"syscall"
)

// onlyOurs says why others than this user could put something into a folder.
func onlyOurs(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s is not a folder of this user's own", dir)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write into %s, where keys and the record lie: chmod go-w it", dir)
	}
	return nil
}
