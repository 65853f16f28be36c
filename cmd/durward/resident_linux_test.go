package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestUntouched(t *testing.T) {
	const smaps = `00400000-010ff000 r-xp 00000000 fe:00 10439033                           /opt/durward
Rss:               11324 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
010ff000-01fcd000 r--p 00cff000 fe:00 10439033                           /opt/durward
Anonymous:             4 kB
Swap:                  0 kB
VmFlags: rd mr mw me
01fcd000-020aa000 rw-p 01bcd000 fe:00 10439033                           /opt/durward
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd wr mr mw me
020aa000-020ab000 r--p 01bcd000 fe:00 10439033                           /opt/durward
Anonymous:             0 kB
Swap:                  4 kB
VmFlags: rd wr mr mw me
7f4ef68b0000-7f4ef6980000 r--p 00000000 00:00 0                          /lib/libc.so
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
`
	got := untouched(strings.NewReader(smaps), "/opt/durward")
	if want := []mapping{{0x400000, 0x10ff000}}; !slices.Equal(got, want) {
		t.Errorf("untouched = %x, want %x", got, want)
	}
}

func TestDropProgram(t *testing.T) {
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if len(untouched(strings.NewReader(string(maps)), exe)) == 0 {
		t.Errorf("no part of %s is untouched:\n%s", exe, maps)
	}
	dropProgram() // and everything still runs
	if !strings.Contains(string(maps), exe) {
		t.Error("the program has lost what it had read")
	}
}
