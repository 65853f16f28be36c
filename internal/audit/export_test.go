package audit

// Files, File, Disk and OpenOn let tests put a failing disk under a log.
type (
	Files = files
	File  = file
)

func Disk() Files { return disk{} }

func OpenOn(dir string, o Options, fs Files) (*Log, error) { return open(dir, o, fs) }
