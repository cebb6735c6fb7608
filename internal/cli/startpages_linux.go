package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dropStartPages takes the pages of the program's own file out of the process: nearly all of them are needed to start, and
// a tenth of them to serve. The kernel brings those back from its cache when they are touched. Only memory that cannot be
// written is concerned, so that nothing is lost; what goes wrong changes nothing.
func dropStartPages() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var (
			from, to uintptr
			access   string
		)
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &access); err != nil {
			return
		}
		if strings.HasSuffix(lines.Text(), " "+program) && strings.HasPrefix(access, "r-") {
			_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}
