package boot

import "testing"

// The watch is not a face: nothing outside can make memory short on purpose.
func TestMemoryIsShortFromThreeQuartersOn(t *testing.T) {
	m := &memory{limit: 1000}
	for _, step := range []struct {
		alive int64
		want  bool
	}{{100, false}, {749, false}, {750, true}, {700, true}, {651, true}, {640, false}, {740, false}, {2000, true}} {
		if m.judge(step.alive); m.pressed.Load() != step.want {
			t.Errorf("with %d of 1000 alive: pressed = %v, want %v", step.alive, m.pressed.Load(), step.want)
		}
	}
}
