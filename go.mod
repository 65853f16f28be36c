module durward

go 1.26
