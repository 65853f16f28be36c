// Command durward is the gateway and everything that people do with it: start
// it, call a tool through it, give agents keys, read the record.
//
// A verb is a file. It reads its flags, asks a running gateway (or the data
// folder, when none runs) and prints for a person, or for a script with -o
// json. The decisions are elsewhere: this package holds no rule.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by policy or found
// something.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // limits count by days and months of a zone, also where none is installed

	"durward/internal/boot"
)

// version is set by the linker (-X main.version=...).
var version = "dev"

func main() {
	tendRest()
	if boot.Watchdog(os.Args) {
		return
	}
	tendHeap()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends at once
	code := run(ctx, newApp(), os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, a *app, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	return a.report(ran, err)
}
