package main

import (
	"context"
	"net/http"
	_ "net/http/pprof"
	"os"
	"fmt"
	"durward/internal/boot"
	"durward/internal/config"
)

func main() {
	go http.ListenAndServe("127.0.0.1:6060", nil)
	cfg, err := config.Load(os.Args[1], config.Options{})
	if err != nil { panic(err) }
	g, err := boot.Start(context.Background(), cfg, boot.Options{Version: "p"})
	if err != nil { panic(err) }
	fmt.Println(g.DataURL())
	select {}
}
