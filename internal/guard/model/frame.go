package model

import "strings"

// frame are words without which an English sentence hardly gets by.
var frame = func() (t [1 << 13]bool) {
	for _, w := range strings.Fields(`a an the this that these those any all every each some no none only other another same such
		i me my we us our you your yours he him his she her it its they them their who what which
		am is are was were be been being do does did done has have had will would shall should can could may might must
		not never don't doesn't won't can't and or but nor so than as if when while until because
		to from of in into on onto at by for with about against between through during over under up down out off again
		here there where why how now also just please new use get set add one more`) {
		h, _, _ := word([]byte(w))
		t[h%uint32(len(t))] = true
	}
	return t
}()
