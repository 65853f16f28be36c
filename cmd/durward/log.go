package main

import (
	"durward/internal/config"
	"durward/internal/telemetry"
)

// logger writes the log to the error output as the configuration says.
func (a *app) logger(l config.Log) *telemetry.Log {
	return telemetry.NewLog(a.err, telemetry.LogOptions{Level: l.Level, Format: l.Format})
}
