package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// pullLimit bounds the pull of an image. Without a route to a registry, Docker would retry for much longer.
const pullLimit = 3 * time.Minute

// startLimit bounds the time from the start of a container until its server answers.
const startLimit = 2 * time.Minute

// docker starts containers and ends them.
type docker struct {
	provider   *testcontainers.DockerProvider
	absent     string // Why Docker does not answer; empty when it does.
	containers []testcontainers.Container
	log        io.Writer
}

func newDocker(ctx context.Context, out io.Writer) *docker {
	log.SetDefault(log.NewNoopLogger()) // Errors say all that matters.
	// The library's reaper removes the containers of a killed process, but needs one more image. This process removes its
	// containers itself.
	if os.Getenv("TESTCONTAINERS_RYUK_DISABLED") == "" {
		_ = os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
	d := &docker{log: out}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var err error
	if d.provider, err = provider(ctx); err != nil {
		d.absent = fmt.Sprintf("Docker does not answer: %v", err)
	}
	return d
}

// provider finds Docker. The library panics if it finds no trace of one.
func provider(ctx context.Context) (p *testcontainers.DockerProvider, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	if p, err = testcontainers.NewDockerProvider(); err != nil {
		return nil, err
	}
	return p, p.Health(ctx)
}

// lacks returns why no container of the image can start; empty when one can.
func (d *docker) lacks(ctx context.Context, image string) string {
	if d.absent != "" {
		return d.absent
	}
	if d.has(ctx, image) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	fmt.Fprintln(d.log, "servers: pulling", image)
	err := d.provider.PullImage(ctx, image)
	// The stream of a pull that fails half way ends without an error.
	if err == nil && !d.has(ctx, image) {
		err = errors.New("the pull ended without the image")
	}
	if err != nil {
		return fmt.Sprintf("image %s is not on this machine and can't be pulled: %v", image, err)
	}
	return ""
}

func (d *docker) has(ctx context.Context, image string) bool {
	images, err := d.provider.ListImages(ctx)
	return err == nil && slices.ContainsFunc(images, func(i testcontainers.ImageInfo) bool { return i.Name == image })
}

// run starts a container, which close removes.
func (d *docker) run(
	ctx context.Context, image string, opts ...testcontainers.ContainerCustomizer,
) (testcontainers.Container, error) {
	c, err := testcontainers.Run(ctx, image, opts...)
	if c != nil {
		d.containers = append(d.containers, c)
	}
	return c, err
}

// address returns the address of a container's port.
func (d *docker) address(ctx context.Context, c testcontainers.Container, port string) (string, error) {
	mapped, err := c.MappedPort(ctx, port)
	if err != nil {
		return "", err
	}
	// Inside a container, the library assumes that Docker is at the gateway. That is wrong on a machine that only looks
	// like a container, or shares its host's network: the port is on loopback then.
	local := net.JoinHostPort("127.0.0.1", mapped.Port())
	if os.Getenv("TESTCONTAINERS_HOST_OVERRIDE") == "" && listens(ctx, local) {
		return local, nil
	}
	host, err := c.Host(ctx)
	return net.JoinHostPort(host, mapped.Port()), err
}

func listens(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// await asks until the server answers, or returns an error with the end of its log.
func await(ctx context.Context, c testcontainers.Container, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		once, done := context.WithTimeout(ctx, 5*time.Second)
		err := ask(once)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w; the end of its log: %s", err, tail(context.WithoutCancel(ctx), c))
		}
	}
}

func tail(ctx context.Context, c testcontainers.Container) string {
	logs, err := c.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer logs.Close()
	text, _ := io.ReadAll(io.LimitReader(logs, 1<<20))
	return string(text[max(0, len(text)-2000):])
}

func (d *docker) close() error {
	var errs []error
	for _, c := range d.containers {
		errs = append(errs, testcontainers.TerminateContainer(c, testcontainers.StopTimeout(0)))
	}
	if d.provider != nil {
		errs = append(errs, d.provider.Close())
	}
	return errors.Join(errs...)
}
