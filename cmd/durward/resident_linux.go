package main

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// dropProgram lets go of the pages of the program itself that have been read
// so far, most of which only the start needed. They are unchanged parts of its
// file: one that is needed again is mapped again from the system's cache. What
// fails is left as it is.
func dropProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range untouched(maps, exe) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
	}
}

type mapping struct{ from, to uintptr }

// untouched reads /proc/self/smaps: the parts of exe that cannot be written
// to, and have not been before that either (a loader relocates some and
// protects them afterwards).
func untouched(smaps io.Reader, exe string) []mapping {
	var found []mapping
	var at mapping
	clean, lines := false, bufio.NewScanner(smaps)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "Anonymous:", "Swap:":
			clean = clean && strings.TrimSpace(value) == "0 kB"
		case "VmFlags:": // the last of a mapping
			if clean {
				found = append(found, at)
			}
			clean = false
		default:
			if span, ok := header(name); ok {
				at, clean = span, readOnly(value) && strings.HasSuffix(value, " "+exe)
			}
		}
	}
	return found
}

func header(span string) (mapping, bool) {
	a, b, ok := strings.Cut(span, "-")
	from, err1 := strconv.ParseUint(a, 16, strconv.IntSize)
	to, err2 := strconv.ParseUint(b, 16, strconv.IntSize)
	return mapping{uintptr(from), uintptr(to)}, ok && err1 == nil && err2 == nil && from < to
}

// readOnly reads the mode of a mapping: private, and not to be written to.
func readOnly(value string) bool {
	mode, _, _ := strings.Cut(value, " ")
	return len(mode) == 4 && mode[1] == '-' && mode[3] == 'p'
}
