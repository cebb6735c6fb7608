package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"

	"github.com/nself-org/nself/internal/ports"
)

const (
	mib = 1 << 20
	gib = 1 << 30
	// Databases stop when the disk is full; an installation of the three runtimes' dependencies takes about 1 GiB.
	failDiskBytes, warnDiskBytes = 500 * mib, 3 * gib
	// All services together take about 700 MiB after a start, half of that in Node and Python.
	failMemoryBytes, warnMemoryBytes = 256 * mib, 1 * gib
)

func checkDisk(ctx context.Context, x *examiner) []Finding {
	dir := x.Dir
	if dir == "" {
		dir = os.TempDir()
	}
	u, err := disk.UsageWithContext(ctx, dir)
	if err != nil {
		return one("disk", Warn, fmt.Sprintf("the room on the disk cannot be measured: %v", err), "df -h "+quote(dir))
	}
	detail := fmt.Sprintf("%s of %s free where %s is", bytesText(u.Free), bytesText(u.Total), dir)
	find := "du -xh -d 2 " + quote(x.home()) + " | sort -h | tail -n 20"
	switch {
	case u.Free < failDiskBytes:
		return one("disk", Fail, detail, find)
	case u.Free < warnDiskBytes:
		return one("disk", Warn, detail, find)
	case u.InodesTotal > 0 && u.InodesFree < 10_000:
		return one("disk", Warn, fmt.Sprintf("only %d more files fit where %s is", u.InodesFree, dir), "df -i "+quote(dir))
	}
	return one("disk", OK, detail, "")
}

func (x *examiner) home() string {
	if home := x.env["HOME"]; home != "" {
		return home
	}
	return "/"
}

func checkMemory(ctx context.Context, _ *examiner) []Finding {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return one("memory", Warn, fmt.Sprintf("the memory cannot be measured: %v", err), "free -h")
	}
	detail := fmt.Sprintf("%s of %s available", bytesText(m.Available), bytesText(m.Total))
	switch {
	case m.Available < failMemoryBytes:
		return one("memory", Fail, detail, "ps axm -o rss,pid,comm | sort -rn | head")
	case m.Available < warnMemoryBytes:
		return one("memory", Warn, detail, "ps axm -o rss,pid,comm | sort -rn | head")
	}
	return one("memory", OK, detail, "")
}

func bytesText(n uint64) string {
	if n < gib {
		return fmt.Sprintf("%d MiB", n/mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/gib)
}

// usedPort is a port that the project will listen on.
type usedPort struct {
	service, key string
	port         int
}

// usedPorts lists the ports of all services that the driver starts.
func (x *examiner) usedPorts() []usedPort {
	c := x.Config
	list := []usedPort{{"hasura", "HASURA_PORT", c.Hasura.Port}, {"postgres", "POSTGRES_PORT", c.Postgres.Port}}
	if c.Redis.Enabled {
		list = append(list, usedPort{"redis", "REDIS_PORT", c.Redis.Port})
	}
	if c.Mail.Enabled {
		list = append(list, usedPort{"mailpit", "MAILPIT_SMTP_PORT", c.Mail.SMTPPort},
			usedPort{"mailpit", "MAILPIT_UI_PORT", c.Mail.UIPort})
	}
	if c.Minio.Enabled && x.Driver == DriverDocker {
		list = append(list, usedPort{"minio", "MINIO_PORT", c.Minio.Port},
			usedPort{"minio", "MINIO_CONSOLE_PORT", c.Minio.ConsolePort})
	}
	for _, r := range c.Runtimes() {
		if r.Enabled {
			list = append(list, usedPort{r.Name, strings.ToUpper(r.Name) + "_PORT", r.Port})
		}
	}
	return list
}

// checkPorts reports each port that another program holds, and all others in one line.
func checkPorts(ctx context.Context, x *examiner) []Finding {
	taken := map[int]bool{}
	used := x.usedPorts()
	for _, u := range used {
		taken[u.port] = true
	}
	// Each search walks through all processes, so they run side by side.
	held := make([]bool, len(used))
	holders := make([]*ports.Holder, len(used))
	var wg sync.WaitGroup
	for i, u := range used {
		wg.Go(func() {
			if held[i] = ports.InUse(ctx, u.port); held[i] {
				holders[i], _ = ports.Find(ctx, u.port) // unknown: "another program"
			}
		})
	}
	wg.Wait()

	var found []Finding
	free, own := 0, 0
	for i, u := range used {
		switch {
		case !held[i]:
			free++
		case holders[i] != nil && sameDir(holders[i].Project, x.Dir):
			own++
		case x.publisher(u.port) != nil && x.publisher(u.port).Labels[projectLabel] == x.Config.ProjectName:
			own++
		default:
			found = append(found, x.conflict(ctx, u, holders[i], taken))
		}
	}
	if free+own > 0 {
		detail := fmt.Sprintf("%d free", free)
		if own > 0 {
			detail += fmt.Sprintf(", %d held by this project's running services", own)
		}
		found = append(found, Finding{Check: "ports", Level: OK, Detail: detail})
	}
	return found
}

func (x *examiner) conflict(ctx context.Context, u usedPort, holder *ports.Holder, taken map[int]bool) Finding {
	f := Finding{Check: "port " + strconv.Itoa(u.port), Level: Fail}
	who := "another program"
	if holder != nil {
		who = holder.String()
	}
	if c := x.publisher(u.port); c != nil {
		return x.publishedConflict(u, c)
	}
	f.Detail = fmt.Sprintf("%s: port %d is held by %s", u.service, u.port, who)
	if x.Driver == DriverDocker && holder != nil && strings.HasPrefix(holder.Name, "docker-proxy") {
		f.Level = Warn // most likely this project's own container
		f.Fix = fmt.Sprintf("docker ps --filter publish=%d", u.port)
		return f
	}
	if holder != nil && holder.Project != "" {
		f.Fix = "nself --project " + quote(holder.Project) + " down"
		return f
	}
	if other, err := ports.Free(ctx, u.port, taken); err == nil {
		taken[other] = true
		f.Fix = fmt.Sprintf("nself config set %s %d", u.key, other)
	}
	return f
}

// publishedConflict is a port that a container of something else publishes.
func (x *examiner) publishedConflict(u usedPort, c *container.Summary) Finding {
	name := c.ID
	if len(c.Names) > 0 {
		name = strings.TrimPrefix(c.Names[0], "/")
	}
	f := Finding{Check: "port " + strconv.Itoa(u.port), Level: Fail, Fix: "docker stop " + name}
	f.Detail = fmt.Sprintf("%s: port %d is held by the container %s", u.service, u.port, name)
	if project := c.Labels[projectLabel]; project != "" {
		f.Detail += " of the project " + project
	}
	if dir := c.Labels[folderLabel]; dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "hasura", "config.yaml")); err == nil {
			f.Fix = "nself --project " + quote(dir) + " down"
		}
	}
	return f
}

func sameDir(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errors.Join(errA, errB) == nil && os.SameFile(infoA, infoB)
}

// quote makes a path one word of a shell command.
func quote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
